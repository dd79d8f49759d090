"""The real program in a process of its own, as a person or a service manager starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

DEADLINE_S = 30.0


class Program:
    """A running `cio-pipeline`; everything it says is kept."""

    def __init__(self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CIO_PIPELINE")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=folder,
            env=inherited | dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            Thread(target=_keep, args=(self._process.stdout, self.output)),
            Thread(target=_keep, args=(self._process.stderr, self.errors)),
        ]
        for reader in self._readers:
            reader.start()

    def wait(self) -> int:
        """Return the exit status."""
        status = self._process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join()
        return status

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of this event so far."""
        lines = [json.loads(line) for line in list(self.errors) if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the first log line of this event."""
        self.wait_until(lambda: bool(self.log(event)), f"the log line {event!r}")
        return self.log(event)[0]

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert self._process.poll() is None or condition(), f"ended before {what}: {self.error_text}"
            assert time.monotonic() < deadline, f"no sign of {what}: {self.error_text}"
            time.sleep(0.02)

    @property
    def error_text(self) -> str:
        return "".join(self.errors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


def _keep(stream: Any, lines: list[str]) -> None:
    for line in stream:
        lines.append(line)  # noqa: PERF402 - each as it comes
