"""Work in a process of its own: what takes long or never ends costs the pipeline nothing, and is ended at a deadline.

The parent writes one JSON line and reads one back; lines with `progress` come in between. The process ends by itself
when nobody has asked it for a while, and with its parent, whose end closes its standard input.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import Any, BinaryIO

from pipeline.errors import PipelineError

IDLE_S = 120
MOST_ANSWER_BYTES = 8_000_000
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_STOP_S = 3.0

Progress = Callable[[dict[str, Any]], None]


class HelperBusyError(PipelineError):
    """The process is at work for somebody else."""


class HelperDeadlineError(PipelineError):
    """The process did not answer in time and was ended."""


class HelperProcess:
    """A process that runs a module and is asked for one thing at a time; it is started when it is first asked.

    `environment` is all that it gets beside the search paths. `first` is written to it before anything else.
    """

    def __init__(
        self, module: str, *, environment: Mapping[str, str] | None = None, first: bytes = b""
    ) -> None:
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        self._environment = {**kept, **(environment or {})}
        self._module = module
        self._first = first
        self._lock = Lock()
        self._starting = Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def ask(
        self,
        question: Mapping[str, Any],
        *,
        deadline_s: float,
        wait_s: float = 5.0,
        progress: Progress | None = None,
    ) -> Any:
        """Return the answer.

        Raises:
            HelperBusyError: somebody else's question has taken longer than `wait_s`.
            HelperDeadlineError: there was no answer in time.
            PipelineError: the process says why it cannot answer, has ended, or was closed.
        """
        if not self._lock.acquire(timeout=wait_s):
            raise HelperBusyError("somebody else's question is being worked on; try again")
        try:
            return self._ask(json.dumps(question).encode() + b"\n", time.monotonic() + deadline_s, progress)
        finally:
            self._lock.release()

    def interrupt(self) -> None:
        """Ask the process to come to an end with what it is at."""
        process = self._process
        if process is not None:
            process.terminate()

    def close(self) -> None:
        """End the process for good, in order if it knows how to. Whoever waits for its answer is told that it ended."""
        with self._starting:
            self._closed = True
            process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
        # The pipes are theirs who ask: they see the end of it, and let go.
        if self._lock.acquire(timeout=_STOP_S):
            try:
                self._end(process)
            finally:
                self._lock.release()

    def _ask(self, line: bytes, deadline: float, progress: Progress | None) -> Any:
        process = self._asked(line)
        while True:
            answer = self._read(process, deadline)
            if "progress" in answer:
                if progress is not None:
                    progress(answer["progress"])
            elif "error" in answer:
                raise PipelineError(answer["error"])
            else:
                return answer["ok"]

    def _asked(self, line: bytes) -> subprocess.Popen[bytes]:
        for _ in range(2):  # it may just have ended by itself
            with suppress(OSError):
                process = self._running()
                self._write(process, line)
                return process
            if self._process is not None:
                self._end(self._process)
        raise PipelineError("it ended before it could be asked")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            if self._process is not None:
                self._end(self._process)
            self._rest = b""
            with self._starting:
                self._process = self._started()
            self._write(self._process, self._first)
        return self._process

    def _started(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise PipelineError("the program is coming to its end")
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", self._module],  # -P: nothing of the current folder is imported
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,  # Ctrl-C at the terminal is the pipeline's
        )

    @staticmethod
    def _write(process: subprocess.Popen[bytes], data: bytes) -> None:
        assert process.stdin is not None
        process.stdin.write(data)
        process.stdin.flush()

    def _read(self, process: subprocess.Popen[bytes], deadline: float) -> dict[str, Any]:
        assert process.stdout is not None
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                self._end(process)
                raise HelperDeadlineError("it took too long and was ended")
            part = os.read(process.stdout.fileno(), 1 << 16)
            if not part:
                self._end(process)
                raise PipelineError("it ended before it was done, for want of memory perhaps")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait(_STOP_S)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        if self._process is process:
            self._process = None


def serve(answer: Callable[[dict[str, Any]], Any], source: BinaryIO, idle_s: int = IDLE_S) -> None:
    """Answer line by line, in the process that was started. Ends with the parent, or when nobody has asked for long."""
    _to_parent()
    while True:
        signal.alarm(idle_s)  # whose default ends the process
        line = source.readline()
        signal.alarm(0)
        if not line:
            return
        try:
            say(_bounded({"ok": answer(json.loads(line))}))
        except PipelineError as error:
            say({"error": str(error)})
        except Exception as error:
            say({"error": f"this is a bug in cio-pipeline: {type(error).__name__}"})


def _bounded(message: dict[str, Any]) -> dict[str, Any]:
    """Return the answer, or that it is more than anybody can look at: the parent holds it in memory."""
    size = len(json.dumps(message))
    if size > MOST_ANSWER_BYTES:
        raise PipelineError(f"the answer has {size:,} bytes, and {MOST_ANSWER_BYTES:,} can be shown")
    return message


def say(message: Mapping[str, Any]) -> None:
    """Write one line to the parent. What anybody else prints goes nowhere."""
    line = json.dumps(message).encode() + b"\n"
    _to_parent().write(line)
    _to_parent().flush()


@cache
def _to_parent() -> BinaryIO:
    """Return the pipe to the parent, and put standard error in its place."""
    sys.stdout.flush()
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


def limit_resources(limits: Sequence[tuple[int, int]]) -> None:
    """Take rights away from this process: each resource with the most of it that is left."""
    for kind, most in limits:
        _, hard = resource.getrlimit(kind)
        bounded = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bounded, bounded))
