"""`cio-pipeline run` as a process of its own, with its configuration in a folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from pipeline.presets_folder import presets_folder
from tests.servers.sandbox import API_KEY, SITE_ID

_MAIN = "from pipeline.cli import main; main()"


def wait_until(
    condition: Callable[[], bool], what: str, timeout_s: float = 60.0, pause_s: float = 0.05
) -> None:
    """Wait for a condition; fail with what was waited for when it does not come."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"after {timeout_s:.0f} s: not {what}"
        time.sleep(pause_s)


def write_configuration(
    folder: Path,
    *,
    bootstrap_servers: str,
    topic: str,
    base_url: str,
    group: str = "test-group",
    **sections: Mapping[str, Any],
) -> Path:
    """Write a pipeline.yaml for the demo's mapping; `sections` go over what is there."""
    settings: dict[str, dict[str, Any]] = {
        "kafka": {
            "bootstrap_servers": bootstrap_servers,
            "topics": [topic],
            "group_id": group,
            "session_timeout_seconds": 6,
            "fetch_wait_milliseconds": 10,
        },
        "customerio": {"site_id": SITE_ID, "api_key": API_KEY, "base_url": base_url},
        "mapping": {"files": [str(presets_folder() / "demo.yaml")]},
        "delivery": {"commit_interval_seconds": 1.0, "drain_deadline_seconds": 5.0},
        "deadletters": {"file": "dead-letters.jsonl"},
        "admin": {"listen": "127.0.0.1:0"},
        "logs": {"format": "json", "level": "debug"},
    }
    for name, changes in sections.items():
        settings.setdefault(name, {}).update(changes)
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


class PipelineProcess:
    """A running pipeline. Its log lines go to `pipeline.log` beside the configuration, over all its lives."""

    def __init__(self, configuration: Path, *arguments: str, **environment: str) -> None:
        self.folder = configuration.parent
        self.log_path = self.folder / "pipeline.log"
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _MAIN, "run", "--config", str(configuration), *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait_until(self, condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
        """Wait for a condition while the process lives."""
        wait_until(lambda: self._is_alive() and condition(), what, timeout_s)

    def _is_alive(self) -> bool:
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.output[-2000:]}"
        return True

    @property
    def output(self) -> str:
        """What this life of the process has written."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode()

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The log lines of this life that are whole."""
        return [
            json.loads(line)
            for line in self.output.splitlines()
            if line.startswith("{") and line.endswith("}")
        ]

    def logged(self, event: str) -> bool:
        """Tell whether a message of this type was written."""
        return any(line["event"] == event for line in self.logs)

    @property
    def admin(self) -> str:
        """The address of the admin server."""
        self.wait_until(lambda: self.logged("started"), "started", 60)
        (started,) = (line for line in self.logs if line["event"] == "started")
        return f"http://{started['admin']}"

    def get(self, path: str) -> httpx.Response:
        """Ask the admin server."""
        return httpx.get(f"{self.admin}{path}", trust_env=False, timeout=10)

    def status(self) -> dict[str, Any]:
        """Return what /api/status tells."""
        document: dict[str, Any] = self.get("/api/status").json()
        return document

    def is_ready(self) -> bool:
        """Tell whether /readyz is green."""
        return self.get("/readyz").status_code == 200

    def memory_mb(self) -> float:
        """Return the resident memory."""
        statm = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(statm[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """End it with a signal and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)
