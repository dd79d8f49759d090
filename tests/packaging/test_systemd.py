"""docker/systemd/cio-pipeline.service: accepted by systemd, and true to the program."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.config import load_settings
from pipeline.errors import ExitStatus

UNIT = Path(__file__).parents[2] / "docker/systemd/cio-pipeline.service"


def service(key: str) -> list[str]:
    """Return every value of a key, in order."""
    prefix = f"{key}="
    return [
        line.removeprefix(prefix) for line in UNIT.read_text("utf-8").splitlines() if line.startswith(prefix)
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    program = tmp_path / "cio-pipeline"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/cio-pipeline/bin/cio-pipeline", str(program)))
    found = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    about_it = [line for line in found.stderr.splitlines() if UNIT.name in line]
    assert about_it == []


def test_its_environment_names_settings_that_exist(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("kafka: {bootstrap_servers: 'kafka:9092', topics: shop}\n")
    environ = dict(line.split("=", 1) for line in service("Environment"))
    settings = load_settings(tmp_path / "pipeline.yaml", environ)
    assert settings.logs.format == "json"
    assert settings.deadletters.file.name == "dead-letters.jsonl"


def test_it_gets_more_time_to_stop_than_it_may_need() -> None:
    assert int(service("TimeoutStopSec")[0]) > 10 + 5


def test_it_is_not_restarted_when_that_does_not_help() -> None:
    statuses = {int(status) for status in service("RestartPreventExitStatus")[0].split()}
    assert statuses == {ExitStatus.USAGE, ExitStatus.LIMIT, ExitStatus.REFUSED}
    assert int(service("SuccessExitStatus")[0]) == ExitStatus.TERMINATED
