"""TLS, client certificates, passwords and rights, against a real broker."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from pipeline.errors import ConfigurationError, RemoteRefusedError
from tests.contract.source_driving import Member, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.kafka_jars import KafkaUnavailableError
from tests.servers.requirements import missing
from tests.servers.secure_kafka import ALICE, BOB, STORE_PASSWORD, Certificates, secure_kafka

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
    yield kafka
    kafka.close()


@pytest.fixture
def kafka(broker: ApacheKafka) -> OnBroker:
    kafka = OnBroker(broker, 1)
    kafka.write(0, b"x")
    return kafka


def password(certificates: Certificates, mechanism: str, user: str, secret: str) -> dict[str, str]:
    return {
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": str(certificates.authority),
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": secret,
    }


def allow_alice(broker: ApacheKafka, kind: ResourceType, name: str) -> None:
    rights = [
        AclBinding(
            kind, name, ResourcePatternType.LITERAL, "User:alice", "*", operation, AclPermissionType.ALLOW
        )
        for operation in (AclOperation.READ, AclOperation.DESCRIBE)
    ]
    for future in broker.admin.create_acls(rights).values():
        future.result(30)


def read_and_commit(kafka: OnBroker, broker: ApacheKafka, listener: str, properties: dict[str, str]) -> None:
    member = Member(kafka.source(bootstrap_servers=broker.addresses[listener], properties=properties))
    poll_until(lambda: bool(member.records), member)
    member.commit_what_was_read()
    member.source.close()
    assert kafka.committed(0) == 1


def test_scram_over_tls_with_the_rights_it_takes(
    kafka: OnBroker, broker: ApacheKafka, certificates: Certificates
) -> None:
    allow_alice(broker, ResourceType.TOPIC, kafka.topic)
    allow_alice(broker, ResourceType.GROUP, kafka.group)
    read_and_commit(kafka, broker, "SECURE", password(certificates, "SCRAM-SHA-256", "alice", ALICE))


def test_plain_over_tls(kafka: OnBroker, broker: ApacheKafka, certificates: Certificates) -> None:
    read_and_commit(kafka, broker, "SECURE", password(certificates, "PLAIN", "bob", BOB))


def test_a_client_certificate(kafka: OnBroker, broker: ApacheKafka, certificates: Certificates) -> None:
    properties = {
        "security.protocol": "ssl",
        "ssl.ca.location": str(certificates.authority),
        "ssl.keystore.location": str(certificates.client_store),
        "ssl.keystore.password": STORE_PASSWORD,
    }
    read_and_commit(kafka, broker, "MUTUAL", properties)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_a_wrong_password_stops_with_a_clear_error_and_without_the_password(
    kafka: OnBroker, broker: ApacheKafka, certificates: Certificates, mechanism: str
) -> None:
    wrong = password(certificates, mechanism, "alice", "not-the-password")
    member = Member(
        kafka.source(bootstrap_servers=broker.addresses["SECURE"], properties=wrong, lookup_timeout_s=1.0)
    )
    with pytest.raises(RemoteRefusedError, match="refuses the credentials") as refused:
        poll_until(lambda: False, member)
    assert "not-the-password" not in str(refused.value)
    member.source.close()


def test_a_topic_without_rights_is_named(
    kafka: OnBroker, broker: ApacheKafka, certificates: Certificates
) -> None:
    alice = password(certificates, "SCRAM-SHA-256", "alice", ALICE)
    with pytest.raises(
        ConfigurationError, match=rf"{kafka.topic} does not exist .* or the user may not see it"
    ):
        Member(kafka.source(bootstrap_servers=broker.addresses["SECURE"], properties=alice))


def test_a_group_without_rights_stops_with_what_to_grant(
    kafka: OnBroker, broker: ApacheKafka, certificates: Certificates
) -> None:
    allow_alice(broker, ResourceType.TOPIC, kafka.topic)
    alice = password(certificates, "SCRAM-SHA-256", "alice", ALICE)
    member = Member(kafka.source(bootstrap_servers=broker.addresses["SECURE"], properties=alice))
    with pytest.raises(RemoteRefusedError, match="may not use the consumer group; grant READ"):
        poll_until(lambda: False, member)
    member.source.close()


def test_a_certificate_that_is_not_trusted_is_trouble_that_says_so(
    kafka: OnBroker, broker: ApacheKafka, certificates: Certificates
) -> None:
    unknown = {"security.protocol": "ssl", "ssl.ca.location": str(certificates.client_store) + ".pem"}
    member = Member(
        kafka.source(bootstrap_servers=broker.addresses["MUTUAL"], properties=unknown, lookup_timeout_s=1.0)
    )
    poll_until(lambda: "certificate" in str(member.source.trouble), member)
    member.source.close()
