"""One worker of `run --workers`: its process, and what it says."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import IO, Any

import orjson
import structlog

_READ_S = 5.0


class Worker:
    """A process that is started again and again. Its log lines go to stderr with its number.

    `number` counts from 1. `admin` is where its admin server listens, None until it has said so. `life` counts its
    processes: what was counted in an earlier one is gone with it.
    """

    def __init__(
        self, number: int, command: Sequence[str], environment: Mapping[str, str], log_format: str
    ) -> None:
        self.number = number
        self.admin: str | None = None
        self.life = 0
        self.restarts = 0
        self.restarts_in_a_row = 0
        self.started_at = 0.0
        self._command = command
        self._environment = environment
        self._human = log_format == "human" or (log_format == "auto" and sys.stderr.isatty())
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: Thread | None = None

    def start(self, now: float) -> None:
        """Start a process."""
        self.started_at = now
        self.life += 1
        # A session of its own, so that Ctrl-C at the terminal reaches it once, by way of the supervisor.
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            self._command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        assert self._process.stderr is not None
        self._reader = Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def has_ended(self) -> bool:
        """Whether a process has ended and nobody has taken note of it."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return self._process.pid if self._process is not None else None

    def take_end(self) -> int:
        """Return the exit status of the process that has ended, and forget it."""
        assert self._process is not None
        status = self._process.wait()
        self.close()
        self._process, self.admin = None, None
        return status

    def signal(self, number: int) -> None:
        """Send a signal, if there is anybody to get it."""
        if self._process is not None:
            self._process.send_signal(number)

    def close(self) -> None:
        """Let go of the pipes, when everything that was said has been passed on."""
        if self._reader is not None:
            self._reader.join(_READ_S)
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stderr):
                assert pipe is not None
                with suppress(OSError):
                    pipe.close()

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            self._pass_on(line)

    def _pass_on(self, line: bytes) -> None:
        event = _event(line)
        if event is None:
            sys.stderr.write(f"worker {self.number}: {line.decode(errors='replace')}")
            return
        if event.get("event") == "started":
            self.admin = event.get("admin")
        event = {"worker": self.number, **event}
        if self._human:
            level = str(event.get("level"))
            render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            sys.stderr.write(f"{render(None, level, event)}\n")
        else:
            sys.stderr.write(f"{orjson.dumps(event).decode()}\n")
        sys.stderr.flush()


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None
