"""`cio-pipeline replay` for tests: run to its end in this process, or started in one of its own."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cli.entry import run_command_line

_MAIN = "from pipeline.cli import main; main()"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    output: str
    errors: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object that it printed."""
        document: dict[str, Any] = json.loads(self.output)
        return document


def run_command(*arguments: str) -> Done:
    """Run one command line to its end."""
    output, errors = io.StringIO(), io.StringIO()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = run_command_line(list(arguments))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return Done(status, output.getvalue(), errors.getvalue())


def replay(configuration: Path, *arguments: str) -> Done:
    """Run `cio-pipeline replay` with these arguments and `--json`."""
    return run_command("replay", "--config", str(configuration), "--json", *arguments)


def start_replay(configuration: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `cio-pipeline replay` in a process of its own."""
    command = [sys.executable, "-c", _MAIN, "replay", "--config", str(configuration), "--json", *arguments]
    whole: Mapping[str, str] = {**os.environ, **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=whole)
