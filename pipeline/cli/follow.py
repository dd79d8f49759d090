"""A worker's side of `run --workers`: it does not outlive its supervisor."""

import os
import signal
import sys
from threading import Thread

WORKER_VARIABLE = "CIO_PIPELINE_WORKER"
"""Tells a process that it is a worker, and which."""


def follow_supervisor() -> None:
    """In a worker: stop cleanly when the supervisor is gone. Elsewhere nothing happens."""
    if WORKER_VARIABLE in os.environ:
        Thread(target=_wait_for_end, name="supervisor", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
