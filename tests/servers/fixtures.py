"""pytest fixtures for the servers that many tests share; tests/conftest.py loads them."""

from collections.abc import Iterator

import pytest

from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess, skip_without_native_interface
from tests.servers.kafka_jars import KafkaUnavailableError
from tests.servers.requirements import missing
from tests.servers.sandbox import SandboxThread
from tests.servers.secure_kafka import Certificates, SecureKafka
from tests.servers.serving import serving
from tests.servers.token_issuer import TokenIssuer


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """One broker of Apache Kafka for the whole session; tests keep apart by topic and group names."""
    try:
        kafka = ApacheKafka()
        kafka.__enter__()
    except KafkaUnavailableError as error:
        missing(str(error))
    yield kafka
    kafka.close()


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """One broker with TLS, users and rights for the whole session; tests keep apart by topic and group names."""
    folder = tmp_path_factory.mktemp("secure-kafka")
    with serving(TokenIssuer(folder)) as issuer:
        try:
            kafka = SecureKafka(Certificates(folder), issuer)
            kafka.__enter__()
        except FileNotFoundError:
            missing("TLS tests need the JDK's keytool")
        except KafkaUnavailableError as error:
            missing(str(error))
        yield kafka
        kafka.close()


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBrokerProcess]:
    """One embedded broker for the whole session, in a process of its own."""
    skip_without_native_interface()
    with EmbeddedBrokerProcess() as broker:
        yield broker


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    """A sandbox for the tests of one file, in a thread of this process."""
    with SandboxThread() as sandbox:
        yield sandbox
