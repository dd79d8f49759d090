"""`cio-pipeline check` against a real sandbox and a real Kafka protocol, with each thing broken in turn."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli.entry import run_command_line
from pipeline.errors import ExitStatus
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.ports import free_ports
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread

MAPPING = """\
version: 1
rules:
  - name: signup
    when: type == 'user.created'
    identify: {id: "${user.id}", timestamp: 1}
tests:
  - name: a signup
    event: {type: user.created, user: {id: u1}}
    expect: [{call: identify, id: u1, timestamp: 1}]
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        yield running


@pytest.fixture
def settings(
    tmp_path: Path, sandbox: SandboxThread, embedded_broker: EmbeddedBrokerProcess
) -> dict[str, Any]:
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    topic = f"check-{tmp_path.name.replace('_', '-')}"
    embedded_broker.create_topic(topic, 2)
    return {
        "kafka": {"bootstrap_servers": embedded_broker.bootstrap_servers, "topics": topic},
        "customerio": {"site_id": SITE_ID, "api_key": API_KEY, "base_url": sandbox.base_url},
        "admin": {"listen": f"127.0.0.1:{free_ports(1)[0]}"},
    }


@pytest.fixture
def findings(tmp_path: Path, settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> Any:
    def check(status: ExitStatus, **changes: dict[str, Any]) -> dict[str, str]:
        """Return what was found: of what is well if the status is 0, else of what is not."""
        merged = {
            name: {**section, **changes.get(name, {})} for name, section in {**changes, **settings}.items()
        }
        (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(merged))
        assert run_command_line(["check", "-c", str(tmp_path / "pipeline.yaml"), "--json"]) == status
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return {each["subject"]: each["text"] for each in found if each["ok"] is (status == ExitStatus.DONE)}

    return check


def test_when_all_is_well_each_thing_says_so(findings: Any) -> None:
    found = findings(ExitStatus.DONE)
    assert list(found) == ["settings", "mapping", "dead letters", "admin", "customerio", "kafka"]
    assert found["mapping"] == "1 rules, 1 tests pass"
    assert found["customerio"] == "the credentials are accepted; the workspace lives in region us"
    assert found["kafka"] == "2 partitions, 0 of them begun by the group cio-pipeline, 0 records to read"


def test_wrong_credentials_are_told_apart_from_an_address_where_nobody_is(findings: Any) -> None:
    found = findings(ExitStatus.FAILED, customerio={"api_key": "wrong-key"})
    assert list(found) == ["customerio"]
    assert "credentials" in found["customerio"]
    assert "wrong-key" not in found["customerio"]
    found = findings(ExitStatus.FAILED, customerio={"base_url": f"http://127.0.0.1:{free_ports(1)[0]}"})
    assert "check customerio.region, customerio.base_url and the network" in found["customerio"]


def test_a_missing_topic_is_named(findings: Any, embedded_broker: EmbeddedBrokerProcess) -> None:
    embedded_broker.set_topic_error("check-nowhere", 3)
    found = findings(ExitStatus.FAILED, kafka={"topics": "check-nowhere"})
    assert list(found) == ["kafka"]
    assert "the topic check-nowhere does not exist" in found["kafka"]


def test_a_mapping_whose_tests_fail_is_pointed_at(findings: Any, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(
        MAPPING.replace("[{call: identify, id: u1", "[{call: identify, id: u2")
    )
    found = findings(ExitStatus.FAILED)
    assert found == {"mapping": f"1 of 1 tests fail: {tmp_path}/mapping.yaml:7:11; see `mapping test`"}


def test_a_mapping_that_cannot_be_compiled_is_pointed_at(findings: Any, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(MAPPING.replace("identify:", "identifi:"))
    found = findings(ExitStatus.FAILED)
    assert f"{tmp_path}/mapping.yaml:5:5: error: " in found["mapping"]


def test_dead_letters_below_a_file_are_found_out(findings: Any) -> None:
    found = findings(ExitStatus.FAILED, deadletters={"file": "mapping.yaml/dead.jsonl"})
    assert list(found) == ["dead letters"]


def test_everything_is_looked_at_also_when_the_first_thing_is_wrong(findings: Any) -> None:
    changes = {
        "customerio": {"api_key": "wrong"},
        "deadletters": {"file": "mapping.yaml/dead.jsonl"},
    }
    assert list(findings(ExitStatus.FAILED, **changes)) == ["dead letters", "customerio"]


def test_a_person_gets_one_line_for_each_thing(
    findings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    findings(ExitStatus.DONE)
    run_command_line(["check", "-c", str(tmp_path / "pipeline.yaml")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 6
