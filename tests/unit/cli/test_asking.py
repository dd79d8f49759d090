"""What commands ask of a near address: past every proxy, and with two ways to go wrong."""

import socket
from urllib.error import HTTPError

import pytest

from pipeline.cli.asking import ask_directly
from tests.servers.hostile import (
    Behaviour,
    HostileServer,
    answer,
    answering,
    read_request,
    reset,
    wait_for_client,
)
from tests.servers.ports import free_ports


def speak_another_protocol(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"\x00\x00\x00\x0bnot this one\r\n")


def break_off(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def reset_after_reading(connection: socket.socket) -> None:
    read_request(connection)
    reset(connection)


def never_answer(connection: socket.socket) -> None:
    read_request(connection)
    wait_for_client(connection)


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.delenv("no_proxy", raising=False)
    with HostileServer(answering(answer(b"{}"))) as server:
        assert ask_directly(server.base_url, timeout_s=5) == b"{}"


@pytest.mark.parametrize("behaviour", [reset_after_reading, never_answer])
def test_nobody_who_answers_in_time_is_an_os_error(behaviour: Behaviour) -> None:
    with HostileServer(behaviour) as server, pytest.raises(OSError):
        ask_directly(server.base_url, timeout_s=0.2)


def test_an_error_status_is_told_apart_from_nobody() -> None:
    with (
        HostileServer(answering(answer(b"{}", "401 Unauthorized"))) as server,
        pytest.raises(HTTPError) as caught,
    ):
        ask_directly(server.base_url, timeout_s=5)
    with caught.value as error:
        assert error.code == 401


@pytest.mark.parametrize("behaviour", [speak_another_protocol, break_off])
def test_what_does_not_speak_http_is_a_value_error(behaviour: Behaviour) -> None:
    with HostileServer(behaviour) as server, pytest.raises(ValueError, match="no answer in HTTP"):
        ask_directly(server.base_url, timeout_s=5)


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/", "http://a b/"])
def test_an_address_that_is_none_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="no answer in HTTP"):
        ask_directly(url, timeout_s=5)
