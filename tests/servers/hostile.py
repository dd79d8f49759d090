"""Servers that do not behave: each connection is handed to a function that does what it likes with the socket."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

Behaviour = Callable[[socket.socket], None]

_HEADERS_END = b"\r\n\r\n"


class HostileServer:
    """Runs one behaviour for every connection, each in a thread, until the end of the block."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        acceptor = threading.Thread(target=self._accept, daemon=True)
        self._threads.append(acceptor)
        acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def connections(self) -> int:
        """How many connections were taken."""
        return len(self._connections)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._behaviour(connection)


def read_request(connection: socket.socket) -> bytes:
    """Read one whole request with a Content-Length; empty when the client has gone."""
    data = b""
    while _HEADERS_END not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(_HEADERS_END)
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        body += chunk
    return head + _HEADERS_END + body


class Recorder:
    """A behaviour that answers `{}` to everything and keeps what came."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        while request := read_request(connection):
            self.requests.append(request)
            connection.sendall(answer(b"{}"))

    @property
    def request_lines(self) -> list[str]:
        """The first line of each request."""
        return [request.split(b"\r\n", 1)[0].decode("latin-1") for request in self.requests]


def reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answering(*pieces: bytes, pause_s: float = 0.0, stay: bool = False) -> Behaviour:
    """Return a behaviour that reads a request and answers with these bytes, again for the next one.

    With `stay` the connection is left open and silent after the first answer.
    """

    def behave(connection: socket.socket) -> None:
        while read_request(connection):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)
            if stay:
                wait_for_client(connection)
            if not pieces or b"connection: close" in pieces[0].lower():
                return

    return behave


def answer(body: bytes, status: str = "200 OK", *headers: str, length: int | str | None = None) -> bytes:
    """Return a whole answer; `length` lies about the body's size."""
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"content-length: {length}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def wait_for_client(connection: socket.socket) -> None:
    """Say nothing until the client goes away."""
    while connection.recv(65536):
        pass
