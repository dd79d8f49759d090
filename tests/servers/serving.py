"""Servers of the standard library, made to answer while a test asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from threading import Thread
from typing import TypeVar

S = TypeVar("S", bound=BaseServer)

POLL_S = 0.02


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Let a server answer from a thread of its own; it is closed in the end."""
    with server:
        thread = Thread(target=server.serve_forever, args=(POLL_S,), name="serving", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
