"""docs/platforms.md: each example is a whole configuration, and the Kafka client takes each of its properties."""

import re
from pathlib import Path

import pytest
import trustme

from pipeline.cli.assembly import kafka_options
from pipeline.config import load_settings
from pipeline.errors import ConfigurationError
from pipeline.kafka.ages import RecordAges

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/platforms.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"^## (.+?)\n.*?^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the examples name, certificates being real ones."""
    folder = tmp_path_factory.mktemp("secrets")
    authority = trustme.CA()
    issued = authority.issue_cert("client")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "service.cert")
    issued.private_key_pem.write_to_path(folder / "service.key")
    for name in ("site-id", "api-key", "kafka-password", "registry-password"):
        (folder / name).write_text("secret")
        (folder / name).chmod(0o600)
    return folder


def written(example: str, folder: Path, secrets: Path) -> Path:
    file = folder / "pipeline.yaml"
    file.write_text(example.replace("/run/secrets", str(secrets)))
    (folder / "mappings").mkdir()
    template = PROJECT / "pipeline/cli/templates/mappings/first.yaml"
    (folder / "mappings/first.yaml").write_bytes(template.read_bytes())
    return file


def test_every_service_that_is_promised_has_an_example() -> None:
    assert set(EXAMPLES) == {"A plain broker", "Confluent Cloud", "Amazon MSK", "Aiven", "Redpanda"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_whole_configuration_that_the_kafka_client_takes(
    name: str, tmp_path: Path, secrets: Path
) -> None:
    settings = load_settings(written(EXAMPLES[name], tmp_path, secrets), {})
    assert settings.customerio.api_key_secret.reveal() == "secret"
    assert all(file.exists() for file in settings.mapping.files)
    RecordAges(kafka_options(settings)).close()


def test_a_property_that_the_client_does_not_know_would_be_noticed(tmp_path: Path, secrets: Path) -> None:
    wrong = EXAMPLES["Aiven"].replace("ssl.key.location", "ssl.key.place")
    with pytest.raises(ConfigurationError, match=r"ssl\.key\.place"):
        RecordAges(kafka_options(load_settings(written(wrong, tmp_path, secrets), {}))).close()
