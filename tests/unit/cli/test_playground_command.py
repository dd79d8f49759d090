"""`cio-pipeline mapping playground` as a process: a page without a pipeline."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pipeline.cli.entry import run_command_line
from pipeline.presets_folder import presets_folder

COMMAND = [sys.executable, "-m", "pipeline", "mapping", "playground"]


@contextmanager
def running(*arguments: str, folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True, cwd=folder)
    try:
        assert process.stdout is not None
        found = re.match(r"(http://127\.0\.0\.1:\d+)/", process.stdout.readline())
        assert found is not None
        yield found[1], process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def test_it_serves_the_files_that_are_named_and_stops_when_told(tmp_path: Path) -> None:
    path = presets_folder() / "demo.yaml"
    with running(str(path), folder=tmp_path) as (url, process):
        session = httpx.get(f"{url}/api/session", trust_env=False).json()
        assert session["views"] == ["playground"]
        files = httpx.get(f"{url}/api/mapping", trust_env=False).json()["files"]
        assert files == [{"name": str(path), "text": path.read_text()}]
        assert httpx.get(f"{url}/api/status", trust_env=False).status_code == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143


@pytest.mark.full
def test_without_files_it_begins_with_the_first_mapping_of_init_and_tries_it_out(tmp_path: Path) -> None:
    with (
        running(folder=tmp_path) as (url, _),
        httpx.Client(base_url=url, trust_env=False, timeout=60) as http,
    ):
        files = http.get("/api/mapping").json()["files"]
        assert [file["name"] for file in files] == ["first.yaml"]
        headers = {"X-CSRF-Token": http.get("/api/session").json()["csrf"]}
        assert http.post("/api/playground", json={"files": files}).json()["error"] == "foreign"
        answer = http.post("/api/playground", json={"files": files, "event": "{}"}, headers=headers).json()
        assert {test["state"] for test in answer["tests"]} == {"passed"}
        assert answer["outcome"]["calls"] == []


@pytest.mark.full
def test_more_than_it_takes_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    with (
        running(folder=tmp_path) as (url, _),
        httpx.Client(base_url=url, trust_env=False, timeout=60) as http,
    ):
        headers = {"X-CSRF-Token": http.get("/api/session").json()["csrf"]}
        files = [{"name": "a", "text": "x" * 3_000_000}]
        assert http.post("/api/playground", json={"files": files}, headers=headers).status_code == 413
        none: list[object] = [
            {},
            {"files": []},
            {"files": [{"name": "a"}]},
            {"files": [{"name": "a", "text": 1}]},
            [1],
        ]
        for wrong in none:
            assert http.post("/api/playground", json=wrong, headers=headers).status_code == 400


def test_a_folder_without_mapping_files_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["mapping", "playground", str(tmp_path)]) == 2
    assert "no mapping file" in capsys.readouterr().err
