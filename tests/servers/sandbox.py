"""The sandbox for tests: a real subprocess, or a thread of this process, on a free loopback port."""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any, Self

import httpx
import orjson

from pipeline.customerio.credentials import Credentials
from pipeline.sandbox import SandboxServer

SITE_ID = "test-site"
API_KEY = "test-key"
CREDENTIALS = Credentials(SITE_ID, API_KEY)

_MAIN = "from pipeline.cli import main; main()"
_START_S = 20
_STOP_S = 10


class SandboxQuestions:
    """Asks a running sandbox what it has seen."""

    def __init__(self, base_url: str, verify: ssl.SSLContext | bool = True) -> None:
        self._http = httpx.Client(base_url=base_url, trust_env=False, timeout=30, verify=verify)

    def counts(self) -> dict[str, Any]:
        """How many calls of each kind arrived and what became of them."""
        counts: dict[str, Any] = self._get("counts")
        return counts

    def event_ids(self) -> dict[str, int]:
        """Every event id with how often it arrived."""
        ids: dict[str, int] = self._get("events")
        return ids

    def people(self) -> list[dict[str, Any]]:
        """Everybody, in the order in which they came to be."""
        people: list[dict[str, Any]] = self._get("people")
        return people

    def objects(self) -> dict[str, Any]:
        """Every object with its attributes and the people it relates to."""
        objects: dict[str, Any] = self._get("objects")
        return objects

    def history(self, value: str, kind: str = "id") -> dict[str, Any]:
        """What arrived under one name, and the person who has it now."""
        history: dict[str, Any] = self._get("history", {"kind": kind, "value": value})
        return history

    def arrivals(self, first: int = 0) -> Iterator[dict[str, Any]]:
        """Every arrival in order, duplicates too."""
        with self._http.stream("GET", "/_sandbox/arrivals", params={"from": first}) as response:
            response.raise_for_status()
            rest = b""
            for chunk in response.iter_bytes():  # not iter_lines, which also splits at U+0085 and U+2028
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(orjson.loads, lines)

    def set_fault(self, kind: str, **settings: Any) -> None:
        """Put a fault in force."""
        response = self._http.post("/_sandbox/faults", json={"kind": kind, **settings})
        assert response.status_code == 200, response.text

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force and how often each has struck."""
        faults: list[dict[str, Any]] = self._get("faults")
        return faults

    def clear_faults(self) -> None:
        """End every fault."""
        self._http.delete("/_sandbox/faults").raise_for_status()

    def reset(self) -> None:
        """Let it forget everything."""
        self._http.post("/_sandbox/reset").raise_for_status()

    def close(self) -> None:
        """Close the connection to it."""
        self._http.close()

    def _get(self, name: str, params: Mapping[str, str] | None = None) -> Any:
        response = self._http.get(f"/_sandbox/{name}", params=params)
        response.raise_for_status()
        return response.json()


class SandboxThread(SandboxQuestions):
    """A sandbox in a thread of this process."""

    def __init__(
        self,
        credentials: Credentials | None = CREDENTIALS,
        verify: ssl.SSLContext | bool = True,
        **settings: Any,
    ) -> None:
        self._server = SandboxServer(credentials, **settings)
        self.base_url = self._server.base_url
        super().__init__(self.base_url, verify)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        self._server.__exit__(kind, error, traceback)


class SandboxProcess(SandboxQuestions):
    """A sandbox as the command of a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [
            sys.executable,
            "-c",
            _MAIN,
            "sandbox",
            "--json",
            "--listen",
            "127.0.0.1:0",
            *arguments,
        ]
        environment = {
            **os.environ,
            "CIO_PIPELINE_SANDBOX_SITE_ID": SITE_ID,
            "CIO_PIPELINE_SANDBOX_API_KEY": API_KEY,
        }
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        self.base_url: str = json.loads(self._first_line())["base_url"]
        super().__init__(self.base_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process with a signal and return its exit status."""
        self.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._stdout.close()
        return status

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def _first_line(self) -> str:
        line = self._stdout.readline()
        if not line:
            self._stdout.close()
            raise AssertionError(f"the sandbox ended with {self.process.wait(_START_S)} before it was ready")
        return line
