"""`check` on a broker that knows users and rights: a wrong password, and each right that is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from tests.servers.apache_kafka import ApacheKafka
from tests.servers.kafka_jars import KafkaUnavailableError
from tests.servers.pipeline import write_configuration
from tests.servers.requirements import missing
from tests.servers.sandbox import SandboxProcess
from tests.servers.secure_kafka import ALICE, Certificates, secure_kafka
from tests.unit.cli.test_check import Checked

pytestmark = [pytest.mark.kafka, pytest.mark.full]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    try:
        return Certificates(tmp_path_factory.mktemp("certificates"))
    except FileNotFoundError:
        missing("TLS tests need the JDK's keytool")


@pytest.fixture(scope="module")
def broker(certificates: Certificates) -> Iterator[ApacheKafka]:
    try:
        kafka = secure_kafka(certificates)
        kafka.__enter__()
    except KafkaUnavailableError as error:
        missing(str(error))
    for topic in ("events", "letters"):
        kafka.create_topic(topic, 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce("events", b"{}")
    assert producer.flush(10) == 0
    yield kafka
    kafka.close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def allow(broker: ApacheKafka, kind: ResourceType, name: str, *operations: AclOperation) -> None:
    rights = [
        AclBinding(
            kind, name, ResourcePatternType.LITERAL, "User:alice", "*", operation, AclPermissionType.ALLOW
        )
        for operation in operations
    ]
    for future in broker.admin.create_acls(rights).values():
        future.result(30)


def checked(
    folder: Path,
    broker: ApacheKafka,
    certificates: Certificates,
    sandbox: SandboxProcess,
    password: str = ALICE,
) -> Checked:
    properties = {
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": str(certificates.authority),
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "alice",
        "sasl.password": password,
    }
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
    tmp_path: Path, broker: ApacheKafka, certificates: Certificates, sandbox: SandboxProcess
) -> None:
    found = checked(tmp_path, broker, certificates, sandbox, "not-the-password")
    assert found["broker"]["state"] == "passed"
    assert found["authentication"]["state"] == "failed"
    assert "not-the-password" not in found.output


def test_each_right_that_is_missing_is_named(
    tmp_path: Path, broker: ApacheKafka, certificates: Certificates, sandbox: SandboxProcess
) -> None:
    nothing = checked(tmp_path, broker, certificates, sandbox)
    assert nothing["authentication"]["state"] == "passed"
    assert "may not see it" in nothing["topic"]["text"]

    allow(broker, ResourceType.TOPIC, "events", AclOperation.DESCRIBE)
    allow(broker, ResourceType.TOPIC, "letters", AclOperation.DESCRIBE)
    allow(broker, ResourceType.GROUP, "test-group", AclOperation.DESCRIBE)
    described = checked(tmp_path, broker, certificates, sandbox)
    assert described["topic"]["state"] == "passed"
    assert described["right to read"]["advice"] == "grant READ on the topic"
    assert described["right to commit"]["advice"] == "grant READ on the group test-group"
    assert [each["state"] for each in described.all("dead letters")] == ["passed", "failed"]
    assert described["reading"]["state"] == "failed"

    allow(broker, ResourceType.TOPIC, "events", AclOperation.READ)
    allow(broker, ResourceType.GROUP, "test-group", AclOperation.READ)
    allow(broker, ResourceType.TOPIC, "letters", AclOperation.WRITE)
    whole = checked(tmp_path, broker, certificates, sandbox)
    for name in ("right to read", "right to commit", "reading"):
        assert whole[name]["state"] == "passed", whole[name]
    assert [each["state"] for each in whole.all("dead letters")] == ["passed", "passed"]
