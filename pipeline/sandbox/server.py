"""The sandbox as a server: on a loop of its own in a thread, or on the loop of the command."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.customerio.credentials import Credentials
from pipeline.errors import ConfigurationError
from pipeline.sandbox.app import SandboxApp, SandboxState
from pipeline.sandbox.control import Control
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.workspace import Workspace

_BACKLOG = 512
_KEEP_ALIVE_S = 65
_GRACE_S = 1

Address = tuple[str, int]


class _Connection(H11Protocol):
    """Hands its transport to the application, so that faults can break the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, and can close its door for a while."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def close_door(self, spared: asyncio.BaseTransport) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not spared:
                connection.transport.close()

    async def open_door(self, listener: socket.socket) -> None:
        def connect() -> asyncio.Protocol:
            return _Connection(self.config, self.server_state, self.lifespan.state)

        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(connect, sock=listener, backlog=_BACKLOG, ssl=self.config.ssl)
        ]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The certificate chain and the private key to serve HTTPS with, in PEM."""

    certificate: Path
    key: Path


class SandboxService:
    """A sandbox that is bound to its address from the start and serves while `serve` runs."""

    def __init__(
        self, state: SandboxState, host: str = "127.0.0.1", port: int = 0, tls: TlsFiles | None = None
    ) -> None:
        """Bind; with `tls` only HTTPS is spoken.

        Raises:
            ConfigurationError: the address is in use or is not ours, or the certificate cannot be used.
        """
        self.state = state
        self._scheme = "http" if tls is None else "https"
        self._listener = _listen((host, port))
        self._address: Address = self._listener.getsockname()[:2]
        application = SandboxApp(state, Control(state, self._refuse).application())
        config = uvicorn.Config(
            application,
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=None if tls is None else str(tls.certificate),
            ssl_keyfile=None if tls is None else str(tls.key),
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            self._listener.close()
            raise ConfigurationError(
                f"cannot use the certificate or its key: {error.strerror or error}"
            ) from None
        self._server = _Server(config)
        self._reopening: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """Where the sandbox answers."""
        host, port = self._address
        return f"{self._scheme}://[{host}]:{port}" if ":" in host else f"{self._scheme}://{host}:{port}"

    async def serve(self) -> None:
        """Answer until `stop`."""
        await self._server.serve(sockets=[self._listener])
        if self._reopening is not None:
            self._reopening.cancel()

    def stop(self) -> None:
        """Let `serve` come to its end; may be called from any thread and from a signal handler."""
        self._server.should_exit = True

    def _refuse(self, seconds: float, spared: asyncio.BaseTransport) -> None:
        self._server.close_door(spared)
        self._reopening = asyncio.get_running_loop().create_task(self._reopen(seconds))

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._server.open_door(_listen(self._address))


class SandboxServer:
    """A sandbox in a thread of this process, from `with` to the end of the block."""

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        region: str = "us",
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: TlsFiles | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Bind to a free port of the loopback interface unless told otherwise; without credentials any are taken."""
        state = SandboxState(Workspace(region), Faults(seed), credentials)
        if clock is not None:
            state.clock = clock
        self._service = SandboxService(state, host, port, tls)
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    @property
    def base_url(self) -> str:
        """Where the sandbox answers."""
        return self._service.base_url

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._service.stop()
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._service.serve())


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or "no such address"
        raise ConfigurationError(f"cannot listen on {address[0]}:{address[1]}: {reason}") from None
    return listener
