"""docker/compose.yaml: valid by the Compose specification, and true to the program."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from pipeline.cli.admin_page import access_of
from pipeline.cli.commands import COMMANDS
from pipeline.config import load_settings
from pipeline.documents import DocumentError

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "docker/compose.yaml"


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
    return found


def test_it_is_valid_by_the_compose_specification() -> None:
    PyCompose.from_yaml(FILE.read_text("utf-8"))


def test_its_environment_and_its_file_are_a_complete_configuration() -> None:
    settings = load_settings(PROJECT / "docker/config/pipeline.yaml", services()["pipeline"]["environment"])
    assert settings.kafka.topics == ("shop-events",)
    assert all(file.exists() for file in settings.mapping.files)
    assert settings.customerio.base_url == "http://sandbox:8080"


def test_the_topic_it_makes_is_the_one_that_is_read() -> None:
    topic = services()["pipeline"]["environment"]["CIO_PIPELINE__KAFKA__TOPICS"]
    assert f"--topic={topic}" in services()["topic"]["command"]


def test_every_command_is_one_of_the_programs() -> None:
    assert services()["sandbox"]["command"][0] in COMMANDS


def test_the_page_is_open_to_other_containers_and_asks_them_for_a_token_that_is_not_in_this_file() -> None:
    environment = services()["pipeline"]["environment"]
    settings = load_settings(PROJECT / "docker/config/pipeline.yaml", environment)
    assert settings.admin.listen == "0.0.0.0:9464"
    assert environment["CIO_PIPELINE__ADMIN__TOKEN"].startswith("${CIO_PIPELINE_ADMIN_TOKEN:?")
    assert access_of(settings).token is not None
    with pytest.raises(DocumentError, match="a token"):
        load_settings(
            PROJECT / "docker/config/pipeline.yaml",
            {name: value for name, value in environment.items() if not name.endswith("TOKEN")},
        )


def test_only_loopback_is_open_to_the_outside() -> None:
    for service in services().values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_the_pipeline_gets_more_time_to_stop_than_it_may_need() -> None:
    pipeline = services()["pipeline"]
    settings = load_settings(PROJECT / "docker/config/pipeline.yaml", pipeline["environment"])
    grace = float(pipeline["stop_grace_period"].removesuffix("s"))
    assert grace > settings.delivery.drain_deadline_seconds


def test_the_example_mapping_is_the_one_that_init_writes() -> None:
    template = PROJECT / "pipeline/cli/templates/mappings/first.yaml"
    assert (PROJECT / "docker/config/mappings/first.yaml").read_bytes() == template.read_bytes()
