"""One admin address for several workers: it asks each of them and adds up what they say."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from pipeline.cli.asking import ask_directly
from pipeline.cli.workers_sums import MetricSums, status_of_all

ASK_TIMEOUT_S = 3.0


class Worker(Protocol):
    """What the admin address knows of a worker."""

    number: int
    admin: str | None
    life: int
    restarts: int

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        ...


class WorkersMonitor:
    """Several workers as one. `token` gives what their admin servers ask for, None where they ask for nothing."""

    def __init__(self, workers: Sequence[Worker], token: Callable[[], str] | None = None) -> None:
        self._workers = workers
        self._token = token
        self._sums = MetricSums()

    def metrics(self) -> bytes:
        """See `Monitored.metrics`."""
        for worker, text in zip(self._workers, self._ask("/metrics"), strict=True):
            if text is not None:
                self._sums.note((worker.number, worker.life), text.decode())
        return self._sums.render([(worker.number, worker.life) for worker in self._workers])

    def status(self) -> dict[str, Any]:
        """See `Monitored.status`."""
        documents = {
            worker.number: None if text is None else json.loads(text)
            for worker, text in zip(self._workers, self._ask("/api/status"), strict=True)
        }
        people = [
            {"worker": worker.number, "process": worker.pid, "restarts": worker.restarts}
            for worker in self._workers
        ]
        return {**status_of_all(documents), "workers": people}

    def _ask(self, path: str) -> list[bytes | None]:
        """Ask all at once; None for one that does not answer."""
        with ThreadPoolExecutor(len(self._workers)) as pool:
            return list(pool.map(lambda worker: self._answer(worker.admin, path), self._workers))

    def _answer(self, admin: str | None, path: str) -> bytes | None:
        if admin is None:
            return None
        token = None if self._token is None else self._token()
        try:
            return ask_directly(f"http://{admin}{path}", timeout_s=ASK_TIMEOUT_S, token=token)
        except (OSError, ValueError):
            return None
