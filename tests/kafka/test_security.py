"""TLS, client certificates, passwords, tokens and rights, against a real broker."""

import pytest
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.admin._resource import ResourceType

from pipeline.errors import ConfigurationError, RemoteRefusedError
from tests.contract.source_driving import Member, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.secure_kafka import ALICE, BOB, STORE_PASSWORD, SecureKafka
from tests.servers.token_issuer import CLIENT, SECRET

pytestmark = [pytest.mark.kafka, pytest.mark.full]


@pytest.fixture
def kafka(secure_kafka: SecureKafka) -> OnBroker:
    kafka = OnBroker(secure_kafka, 1)
    kafka.write(0, b"x")
    return kafka


def allow_alice_to_read(broker: SecureKafka, kind: ResourceType, name: str) -> None:
    broker.allow_alice(kind, name, AclOperation.READ, AclOperation.DESCRIBE)


def read_and_commit(kafka: OnBroker, broker: SecureKafka, listener: str, properties: dict[str, str]) -> None:
    member = Member(kafka.source(bootstrap_servers=broker.addresses[listener], properties=properties))
    poll_until(lambda: bool(member.records), member)
    member.commit_what_was_read()
    member.source.close()
    assert kafka.committed(0) == 1


def test_scram_over_tls_with_the_rights_it_takes(kafka: OnBroker, secure_kafka: SecureKafka) -> None:
    allow_alice_to_read(secure_kafka, ResourceType.TOPIC, kafka.topic)
    allow_alice_to_read(secure_kafka, ResourceType.GROUP, kafka.group)
    read_and_commit(
        kafka, secure_kafka, "SECURE", secure_kafka.with_password("SCRAM-SHA-256", "alice", ALICE)
    )


def test_plain_over_tls(kafka: OnBroker, secure_kafka: SecureKafka) -> None:
    read_and_commit(kafka, secure_kafka, "SECURE", secure_kafka.with_password("PLAIN", "bob", BOB))


def test_a_client_certificate(kafka: OnBroker, secure_kafka: SecureKafka) -> None:
    properties = {
        "security.protocol": "ssl",
        "ssl.ca.location": str(secure_kafka.certificates.authority),
        "ssl.keystore.location": str(secure_kafka.certificates.client_store),
        "ssl.keystore.password": STORE_PASSWORD,
    }
    read_and_commit(kafka, secure_kafka, "MUTUAL", properties)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_a_wrong_password_stops_with_a_clear_error_and_without_the_password(
    kafka: OnBroker, secure_kafka: SecureKafka, mechanism: str
) -> None:
    wrong = secure_kafka.with_password(mechanism, "alice", "not-the-password")
    member = Member(kafka.source(bootstrap_servers=secure_kafka.addresses["SECURE"], properties=wrong))
    with pytest.raises(RemoteRefusedError, match="refuses the credentials") as refused:
        poll_until(lambda: False, member)
    assert "not-the-password" not in str(refused.value)
    member.source.close()


def test_a_token_of_the_clients_own_making(kafka: OnBroker, secure_kafka: SecureKafka) -> None:
    """What a development cluster takes: `enable.sasl.oauthbearer.unsecure.jwt`."""
    token = secure_kafka.with_unsecured_token(principal="robot", scope="pipeline")
    read_and_commit(kafka, secure_kafka, "UNSECURED", token)


def test_a_token_of_an_issuer(kafka: OnBroker, secure_kafka: SecureKafka) -> None:
    """OpenID Connect with a client's secret, as most services want it."""
    read_and_commit(kafka, secure_kafka, "OIDC", secure_kafka.with_issued_token(CLIENT, SECRET))


def test_a_token_that_the_broker_does_not_take_stops_with_a_clear_error(
    kafka: OnBroker, secure_kafka: SecureKafka
) -> None:
    token = secure_kafka.with_unsecured_token(principal="robot", scope="another")
    member = Member(kafka.source(bootstrap_servers=secure_kafka.addresses["UNSECURED"], properties=token))
    with pytest.raises(RemoteRefusedError, match="refuses the credentials"):
        poll_until(lambda: False, member)
    member.source.close()


def test_an_issuer_that_refuses_is_trouble_that_says_so_without_the_secret(
    kafka: OnBroker, secure_kafka: SecureKafka
) -> None:
    refused = secure_kafka.with_issued_token(CLIENT, "not-the-secret")
    member = Member(kafka.source(bootstrap_servers=secure_kafka.addresses["OIDC"], properties=refused))
    poll_until(lambda: "invalid_client" in str(member.source.trouble), member)
    assert "no token for Kafka" in str(member.source.trouble)
    assert "not-the-secret" not in str(member.source.trouble)
    member.source.close()


def test_an_issuer_that_is_broken_at_the_start_costs_only_time(
    kafka: OnBroker, secure_kafka: SecureKafka
) -> None:
    secure_kafka.issuer.is_broken = True
    token = secure_kafka.with_issued_token(CLIENT, SECRET)
    member = Member(kafka.source(bootstrap_servers=secure_kafka.addresses["OIDC"], properties=token))
    poll_until(lambda: "no token for Kafka" in str(member.source.trouble), member)
    secure_kafka.issuer.is_broken = False
    poll_until(lambda: bool(member.records), member)
    assert member.source.trouble is None
    member.source.close()


def test_a_topic_without_rights_is_named(kafka: OnBroker, secure_kafka: SecureKafka) -> None:
    allow_alice_to_read(secure_kafka, ResourceType.GROUP, kafka.group)  # else the group may be refused first
    alice = secure_kafka.with_password("SCRAM-SHA-256", "alice", ALICE)
    member = Member(kafka.source(bootstrap_servers=secure_kafka.addresses["SECURE"], properties=alice))
    with pytest.raises(
        ConfigurationError, match=rf"{kafka.topic} does not exist .* or the user may not see it"
    ):
        poll_until(lambda: False, member)
    member.source.close()


def test_a_group_without_rights_stops_with_what_to_grant(kafka: OnBroker, secure_kafka: SecureKafka) -> None:
    allow_alice_to_read(secure_kafka, ResourceType.TOPIC, kafka.topic)
    alice = secure_kafka.with_password("SCRAM-SHA-256", "alice", ALICE)
    member = Member(kafka.source(bootstrap_servers=secure_kafka.addresses["SECURE"], properties=alice))
    with pytest.raises(RemoteRefusedError, match="may not use the consumer group; grant READ"):
        poll_until(lambda: False, member)
    member.source.close()


def test_a_certificate_that_is_not_trusted_is_trouble_that_says_so(
    kafka: OnBroker, secure_kafka: SecureKafka
) -> None:
    unknown = {
        "security.protocol": "ssl",
        "ssl.ca.location": str(secure_kafka.certificates.client_store) + ".pem",
    }
    member = Member(kafka.source(bootstrap_servers=secure_kafka.addresses["MUTUAL"], properties=unknown))
    poll_until(lambda: "certificate" in str(member.source.trouble), member)
    member.source.close()
