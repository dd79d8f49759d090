"""`cio-pipeline run --workers N`: N processes in one consumer group, kept alive, and stopped together.

Each worker is `cio-pipeline run` as it is, with an admin address of its own. Its standard input is a pipe that only
the supervisor holds: when the supervisor is gone, however it went, the pipe ends and the worker stops cleanly.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from pipeline.cli.admin_page import access_of, parts_of
from pipeline.cli.follow import WORKER_VARIABLE
from pipeline.cli.worker import Worker
from pipeline.cli.workers_admin import WorkersMonitor
from pipeline.config import Settings
from pipeline.errors import ExitStatus
from pipeline.operations.admin import AdminServer
from pipeline.operations.admin_application import admin_application
from pipeline.operations.logs import configure_logs

_log = structlog.get_logger(__name__)

FINAL_STATUSES = frozenset({ExitStatus.USAGE, ExitStatus.LIMIT, ExitStatus.REFUSED})
"""Ends that a restart does not mend: the other workers are stopped too, and the supervisor ends the same way."""
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
STEADY_AFTER_S = 60.0
"""A worker that has run for so long starts with a clean sheet."""
MAX_RESTARTS = 8
"""So many restarts in a row, and the supervisor gives up."""
_LOOK_EVERY_S = 0.1
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_workers(settings: Settings, path: Path, count: int, arguments: tuple[str, ...]) -> int:
    """Run `count` workers until they are told to stop, and return the exit status.

    Raises:
        ConfigurationError: the admin address cannot be listened on.
    """
    configure_logs(settings.logs.format, settings.logs.level)
    command = (sys.executable, "-m", "pipeline", "run", "--config", str(path), *arguments)
    workers = [
        Worker(number, command, _environment(settings, number), settings.logs.format)
        for number in range(1, count + 1)
    ]
    supervisor = Supervisor(workers)
    supervisor.listen()
    admin = None
    if settings.admin.listen is not None:
        access = access_of(settings)
        admin = AdminServer(
            settings.admin.listen,
            admin_application(
                WorkersMonitor(workers, access.token), access, parts_of(settings, payloads=access.payloads)
            ),
        )
        admin.start()
    _log.info("started", workers=count, admin=admin and admin.address, process=os.getpid())
    try:
        status = supervisor.run()
    finally:
        if admin is not None:
            admin.stop()
    _log.info("stopped", status=int(status))
    return status


class Supervisor:
    """Starts workers, starts them again when they end without reason, and stops them all."""

    def __init__(
        self,
        workers: Sequence[Worker],
        *,
        first_backoff_s: float = FIRST_BACKOFF_S,
        max_restarts: int = MAX_RESTARTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = workers
        self._first_backoff_s = first_backoff_s
        self._max_restarts = max_restarts
        self._monotonic = monotonic
        self._status: ExitStatus | None = None
        self._due = {worker: monotonic() for worker in workers}

    def listen(self) -> None:
        """Take the signals over and pass them on; only the main thread may do that."""
        for number in _PASSED_ON:
            signal.signal(number, lambda number, _frame: self._pass_on(signal.Signals(number)))

    def run(self) -> ExitStatus:
        """Look after the workers until all have ended for good."""
        while self._status is None or any(worker.is_running for worker in self._workers):
            for worker in self._workers:
                self._look_after(worker)
            time.sleep(_LOOK_EVERY_S)
        for worker in self._workers:
            worker.close()
        return self._status

    def _look_after(self, worker: Worker) -> None:
        now = self._monotonic()
        if worker.is_running:
            return
        if worker.has_ended:
            self._take_end(worker, worker.take_end(), now)
        if self._status is None and now >= self._due[worker]:
            worker.start(now)

    def _take_end(self, worker: Worker, status: int, now: float) -> None:
        if self._status is not None:
            _log.info("worker_stopped", worker=worker.number, status=status)
        elif status in FINAL_STATUSES:
            _log.error("worker_ended", worker=worker.number, status=status, then="all are stopped")
            self._stop(ExitStatus(status))
        else:
            self._restart(worker, status, now)

    def _restart(self, worker: Worker, status: int, now: float) -> None:
        if now - worker.started_at >= STEADY_AFTER_S:
            worker.restarts_in_a_row = 0
        worker.restarts_in_a_row += 1
        if worker.restarts_in_a_row > self._max_restarts:
            _log.error("worker_given_up", worker=worker.number, status=status, then="all are stopped")
            self._stop(ExitStatus.FAILED)
            return
        worker.restarts += 1
        wait_s = min(MAX_BACKOFF_S, self._first_backoff_s * 2 ** (worker.restarts_in_a_row - 1))
        self._due[worker] = now + wait_s
        _log.warning(
            "worker_ended", worker=worker.number, status=status, then=f"started again in {wait_s:g} s"
        )

    def _stop(self, status: ExitStatus) -> None:
        self._status = status
        for worker in self._workers:
            worker.signal(signal.SIGTERM)

    def _pass_on(self, number: signal.Signals) -> None:
        if number is not signal.SIGHUP and self._status is None:
            self._status = ExitStatus.INTERRUPTED if number is signal.SIGINT else ExitStatus.TERMINATED
        for worker in self._workers:
            worker.signal(number)


def _environment(settings: Settings, number: int) -> Mapping[str, str]:
    """Return what one worker's environment says over the configuration that all have."""
    ours = {
        WORKER_VARIABLE: str(number),
        "CIO_PIPELINE__LOGS__FORMAT": "json",
        "CIO_PIPELINE__ADMIN__LISTEN": "off" if settings.admin.listen is None else "127.0.0.1:0",
    }
    instance = settings.kafka.properties.get("group.instance.id")
    if instance is not None:
        # One static member each: with the same name they would throw each other out.
        ours["CIO_PIPELINE__KAFKA__PROPERTIES__GROUP_INSTANCE_ID"] = f"{instance}-{number}"
    return {**os.environ, **ours}
