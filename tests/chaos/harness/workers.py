"""Pipelines as processes that can be killed, stopped, frozen and started again."""

import signal
import subprocess
from pathlib import Path

from tests.servers.pipeline import PipelineProcess

STOP_DEADLINE_S = 40.0


class Worker:
    """One place in the group. `faults` holds what a process must never do, such as end by itself."""

    def __init__(self, number: int, configuration: Path) -> None:
        self.number = number
        self.folder = configuration.parent
        self.faults: list[str] = []
        self._configuration = configuration
        self._process: PipelineProcess | None = None
        self._ending = False

    @property
    def runs(self) -> bool:
        """Whether a process is there, frozen or not."""
        return self._process is not None

    def start(self) -> None:
        """Start a process, after the end of the one that was told to stop."""
        self._await_end()
        if self._process is None:
            self._process = PipelineProcess(self._configuration)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process, self._ending = None, False

    def terminate(self) -> None:
        """Tell it to stop; `start` and `stop` wait for it."""
        self._signal(signal.SIGTERM)
        self._ending = True

    def freeze(self) -> None:
        """Stop its time."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let its time go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Tell it to stop and wait."""
        if self._process is not None:
            self.terminate()
            self._await_end()

    def check(self) -> None:
        """Note it when the process has ended by itself, and forget it then."""
        if self._process is not None and not self._ending and self._process.process.poll() is not None:
            status = self._process.process.returncode
            self.faults.append(f"worker {self.number} ended with {status}: {self._process.output[-1500:]}")
            self._process = None

    def is_ready(self) -> bool:
        """Tell whether it has joined and sees nothing wrong."""
        return self._process is not None and self._process.logged("started") and self._process.is_ready()

    def logged(self, event: str) -> int:
        """How often all its processes have logged an event."""
        return (self.folder / "pipeline.log").read_bytes().count(f'"event": "{event}"'.encode())

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.process.poll() is None:
            self._process.process.send_signal(number)

    def _await_end(self) -> None:
        if self._process is None or not self._ending:
            return
        try:
            status = self._process.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.faults.append(f"worker {self.number} did not stop within {STOP_DEADLINE_S:.0f} s")
            self._process.kill()
        else:
            # The signal may come before the new process listens to it.
            early = status == -signal.SIGTERM and not self._process.logged("started")
            if status != 128 + signal.SIGTERM and not early:
                self.faults.append(
                    f"worker {self.number} stopped with {status}: {self._process.output[-1500:]}"
                )
        self._process, self._ending = None, False
