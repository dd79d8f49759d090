"""The admin server: what one pipeline tells of itself, served over HTTP in a thread of its own."""

import errno
import socket
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import uvicorn

from pipeline.errors import ConfigurationError
from pipeline.operations.admin_guard import Guard
from pipeline.operations.latency import RecentLatency
from pipeline.operations.mapping_state import MappingState
from pipeline.operations.metrics import Metrics
from pipeline.operations.status_document import status_document
from pipeline.status import EngineStatus
from pipeline.tally import Tally

STOP_WAIT_S = 5.0


class PipelineMonitor:
    """One pipeline of this process."""

    def __init__(
        self, tally: Tally, status: Callable[[], EngineStatus], mapping: MappingState | None = None
    ) -> None:
        self._tally = tally
        self._status = status
        self._mapping = mapping
        self._metrics = Metrics(tally, status)
        self._latency = RecentLatency(tally)
        self._started_at = time.time()

    def metrics(self) -> bytes:
        """See `Monitored.metrics`."""
        return self._metrics.render()

    def status(self) -> dict[str, Any]:
        """See `Monitored.status`."""
        document = status_document(self._tally, self._status())
        document |= {"started_at": self._started_at, "latency": self._latency.document()}
        return document if self._mapping is None else document | {"mapping": self._mapping.document()}


class AdminServer:
    """Serves an application on one address until it is stopped."""

    def __init__(self, listen: str, application: Guard) -> None:
        self.address = listen
        """The address it listens on; once it is started, with the real port where port 0 was asked for."""
        self._application = application
        self._socket: socket.socket | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                lifespan="on",
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = Thread(target=self._serve, name="admin", daemon=True)

    def start(self) -> None:
        """Begin to serve; the address answers when this returns.

        Raises:
            ConfigurationError: the address cannot be listened on.
        """
        self._socket = _bound(self.address)
        host, port = self._socket.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; connections that are open are closed, and what is worked on for them ends."""
        if self._socket is None:
            return
        self._application.close()
        self._server.should_exit = True
        self._thread.join(STOP_WAIT_S)
        self._server.force_exit = True
        self._socket.close()

    def _serve(self) -> None:
        if self._socket is not None:
            self._server.run(sockets=[self._socket])


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, int(port)))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise ConfigurationError(_refusal(listen, error)) from None
    return bound


def _refusal(listen: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"admin.listen: {listen} is in use by another program; end that one, choose another port,"
            " or set admin.listen to off"
        )
    return f"admin.listen: cannot listen on {listen}: {error.strerror}"
