"""`check` on a broker that knows users and rights: a wrong password, and each right that is missing."""

from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.admin._resource import ResourceType

from tests.servers.pipeline import write_configuration
from tests.servers.sandbox import SandboxThread
from tests.servers.secure_kafka import ALICE, SecureKafka
from tests.unit.cli.test_check import Checked

pytestmark = [pytest.mark.kafka, pytest.mark.full]


@pytest.fixture(scope="module")
def broker(secure_kafka: SecureKafka) -> SecureKafka:
    """With a topic to read and one for dead letters, on which alice has no rights yet."""
    for topic in ("events", "letters"):
        secure_kafka.create_topic(topic, 1)
    producer = Producer({"bootstrap.servers": secure_kafka.bootstrap_servers})
    producer.produce("events", b"{}")
    assert producer.flush(10) == 0
    return secure_kafka


def checked(folder: Path, broker: SecureKafka, sandbox: SandboxThread, password: str = ALICE) -> Checked:
    properties = broker.with_password("SCRAM-SHA-256", "alice", password)
    configuration = write_configuration(
        folder,
        bootstrap_servers=broker.addresses["SECURE"],
        topic="events",
        base_url=sandbox.base_url,
        kafka={"properties": properties},
        deadletters={"topic": "letters"},
    )
    return Checked(configuration, "--json")


def test_a_wrong_password_is_told_apart_from_a_broker_that_is_away(
    tmp_path: Path, broker: SecureKafka, sandbox: SandboxThread
) -> None:
    found = checked(tmp_path, broker, sandbox, "not-the-password")
    assert found["broker"]["state"] == "passed"
    assert found["authentication"]["state"] == "failed"
    assert "not-the-password" not in found.output


def test_each_right_that_is_missing_is_named(
    tmp_path: Path, broker: SecureKafka, sandbox: SandboxThread
) -> None:
    nothing = checked(tmp_path, broker, sandbox)
    assert nothing["authentication"]["state"] == "passed"
    assert "may not see it" in nothing["topic"]["text"]

    broker.allow_alice(ResourceType.TOPIC, "events", AclOperation.DESCRIBE)
    broker.allow_alice(ResourceType.TOPIC, "letters", AclOperation.DESCRIBE)
    broker.allow_alice(ResourceType.GROUP, "test-group", AclOperation.DESCRIBE)
    described = checked(tmp_path, broker, sandbox)
    assert described["topic"]["state"] == "passed"
    assert described["right to read"]["advice"] == "grant READ on the topic"
    assert described["right to commit"]["advice"] == "grant READ on the group test-group"
    assert [each["state"] for each in described.all("dead letters")] == ["passed", "failed"]
    assert described["reading"]["state"] == "failed"

    broker.allow_alice(ResourceType.TOPIC, "events", AclOperation.READ)
    broker.allow_alice(ResourceType.GROUP, "test-group", AclOperation.READ)
    broker.allow_alice(ResourceType.TOPIC, "letters", AclOperation.WRITE)
    whole = checked(tmp_path, broker, sandbox)
    for name in ("right to read", "right to commit", "reading"):
        assert whole[name]["state"] == "passed", whole[name]
    assert [each["state"] for each in whole.all("dead letters")] == ["passed", "passed"]
