"""The harness's proxy: what it cuts is cut, what it holds back never arrives late, and it heals."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.harness.proxy import Proxies, Proxy
from tests.servers.hostile import HostileServer
from tests.servers.pipeline import wait_until


class Echo:
    """Sends back what it reads, and keeps it."""

    def __init__(self) -> None:
        self.heard = b""
        self._lock = threading.Lock()

    def __call__(self, connection: socket.socket) -> None:
        while data := connection.recv(1024):
            with self._lock:
                self.heard += data
            connection.sendall(data)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with HostileServer(echo) as server, Proxies() as proxies:
        yield proxies.open(int(server.base_url.rsplit(":", 1)[1]))


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def is_gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True


def test_it_forwards_both_ways(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"hello")
        assert connection.recv(10) == b"hello"


def test_a_cut_ends_connections_and_refuses_new_ones_until_it_heals(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"1")
        assert connection.recv(10) == b"1"
        proxy.cut(silent=False)
        assert is_gone(connection)
    with connect(proxy) as refused:
        assert is_gone(refused)
    proxy.heal()
    with connect(proxy) as connection:
        connection.sendall(b"2")
        assert connection.recv(10) == b"2"


def test_what_a_silent_cut_held_back_never_arrives(proxy: Proxy, echo: Echo) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"before")
        assert connection.recv(10) == b"before"
        proxy.cut(silent=True)
        connection.sendall(b"held")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(10)
        connection.settimeout(10)
        proxy.heal()
        assert is_gone(connection)
    with connect(proxy) as connection:
        connection.sendall(b"after")
        wait_until(lambda: b"after" in echo.heard, "heard again")
    assert b"held" not in echo.heard
