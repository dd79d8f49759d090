"""Whatever a server does, an attempt ends in a verdict, in time, and nothing undelivered counts as delivered."""

import asyncio
import gzip
import socket
import time

import pytest

from pipeline.customerio.client import MAX_ANSWER_BYTES, TrackClient
from pipeline.customerio.verdicts import DELIVERED, Delivered, Fatal, Refused, Retry, Verdict
from tests.customerio_made import run_with_client, track
from tests.servers.hostile import (
    Behaviour,
    HostileServer,
    answer,
    answering,
    read_request,
    reset,
    wait_for_client,
)

DEADLINE_S = 0.6
OPERATION = track("u1", secret="secret-payload")


def send(base_url: str, payloads: list[bytes] | None = None) -> Verdict:
    return run_with_client(
        base_url, lambda client: client.send_batch(payloads or [OPERATION]), deadline_s=DEADLINE_S
    )


def close_at_once(connection: socket.socket) -> None:
    connection.close()


def reset_at_once(connection: socket.socket) -> None:
    reset(connection)


def reset_after_reading(connection: socket.socket) -> None:
    read_request(connection)
    reset(connection)


def close_after_reading(connection: socket.socket) -> None:
    read_request(connection)


def never_answer(connection: socket.socket) -> None:
    read_request(connection)
    wait_for_client(connection)


def never_read(connection: socket.socket) -> None:
    time.sleep(DEADLINE_S * 2)


def drip_headers(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000):
        connection.sendall(b"x-%d: y\r\n" % number)
        time.sleep(0.05)


def drip_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(answer(b"", length=10_000))
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def ends_between_chunks(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(CHUNKED + b"2\r\n{}\r\n")


RETRIED: dict[str, Behaviour] = {
    "closes at once": close_at_once,
    "resets at once": reset_at_once,
    "resets after reading": reset_after_reading,
    "closes after reading": close_after_reading,
    "never answers": never_answer,
    "drips headers": drip_headers,
    "drips a body": drip_body,
    "stops in the status line": answering(b"HTTP/1.1 2", stay=True),
    "stops in the headers": answering(b"HTTP/1.1 200 OK\r\ncontent-le", stay=True),
    "stops in the body": answering(answer(b"{", length=2), stay=True),
    "ends in the body": answering(answer(b"{", "200 OK", "connection: close", length=2)),
    "speaks garbage": answering(b"\x00\xff\x16\x03garbage\r\n\r\n", stay=True),
    "speaks another protocol": answering(b"SSH-2.0-OpenSSH_9.6\r\n", stay=True),
    "has a status that is no number": answering(b"HTTP/1.1 abc OK\r\n\r\n", stay=True),
    "has a negative length": answering(answer(b"{}", length=-2), stay=True),
    "has a length that is no number": answering(answer(b"{}", length="two"), stay=True),
    "has two lengths": answering(answer(b"{}", "200 OK", "content-length: 5"), stay=True),
    "has a chunk size that is none": answering(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", stay=True),
    "ends between chunks": ends_between_chunks,
    "has headers without end": answering(
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n{}", stay=True
    ),
    "has an answer without end": answering(answer(b" " * (MAX_ANSWER_BYTES + 1), length=10**9), stay=True),
    "lies about compression": answering(answer(b"{}", "200 OK", "content-encoding: gzip")),
    "answers a bomb": answering(answer(gzip.compress(b" " * 2**26), "200 OK", "content-encoding: gzip")),
    "only ever continues": answering(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 50, pause_s=0.05),
    "switches protocols": answering(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", stay=True),
}


@pytest.mark.parametrize("name", RETRIED)
def test_a_server_that_breaks_the_rules_is_tried_again(name: str) -> None:
    with HostileServer(RETRIED[name]) as server:
        verdict = send(server.base_url)
    assert isinstance(verdict, Retry | Fatal), verdict
    assert "secret" not in repr(verdict)
    if isinstance(verdict, Fatal):
        assert name == "switches protocols"
    elif name not in {"resets at once", "closes at once"}:  # these may end before a byte was sent
        assert verdict.outcome_unknown


def test_a_server_that_never_reads_a_large_body_runs_into_the_deadline() -> None:
    large = [track(f"u{number}", text="x" * 30_000) for number in range(400)]
    with HostileServer(never_read) as server:
        verdict = send(server.base_url, large)
    assert isinstance(verdict, Retry)
    assert verdict.outcome_unknown


def test_a_silent_server_behind_tls_runs_into_the_deadline() -> None:
    with HostileServer(wait_for_client) as server:
        verdict = send(server.base_url.replace("http:", "https:"))
    assert isinstance(verdict, Retry)


def test_a_full_queue_of_connections_runs_into_the_deadline_and_nothing_was_sent() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            verdict = send(f"http://127.0.0.1:{address[1]}")
        finally:
            for filler in fillers:
                filler.close()
    assert isinstance(verdict, Retry)


def test_nobody_listens_and_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    verdict = send(f"http://127.0.0.1:{port}")
    assert isinstance(verdict, Retry)
    assert not verdict.outcome_unknown


LOGIN_PAGE = b"<!doctype html><title>Sign in to the network</title>"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(LOGIN_PAGE, "200 OK", "content-type: text/html"), Fatal),
        (answer(b""), Fatal),
        (answer(b"", "204 No Content"), Fatal),
        (answer(b"{}", "302 Found", "location: https://elsewhere.invalid/"), Fatal),
        (answer(b"{}", "307 Temporary Redirect", "location: /api/v2/batch"), Fatal),
        (answer(b"404 page not found", "404 Not Found"), Fatal),
        (answer(b"{}", "407 Proxy Authentication Required"), Fatal),
        (answer(b"<html>400</html>", "400 Bad Request"), Refused),
        (answer(b"<html>502</html>", "502 Bad Gateway"), Retry),
        (answer(b"{}", "999 Strange"), Fatal),
    ],
)
def test_an_answer_that_is_not_the_apis_is_never_delivered(reply: bytes, kind: type[Verdict]) -> None:
    with HostileServer(answering(reply)) as server:
        assert isinstance(send(server.base_url), kind)


def test_a_redirect_is_not_followed() -> None:
    with HostileServer(answering(answer(b"{}"))) as target:
        moved = answer(b"", "308 Permanent Redirect", f"location: {target.base_url}/api/v2/batch")
        with HostileServer(answering(moved)) as server:
            assert isinstance(send(server.base_url), Fatal)
        assert target.connections == 0


def test_bytes_after_an_answer_are_not_taken_for_the_next_one() -> None:
    smuggled = answer(b"{}") + answer(LOGIN_PAGE)

    async def send_twice(client: TrackClient) -> list[Verdict]:
        first = await client.send_batch([OPERATION])
        await asyncio.sleep(0.05)  # the rest must have arrived on the idle connection
        return [first, await client.send_batch([OPERATION])]

    with HostileServer(answering(smuggled)) as server:
        verdicts = run_with_client(server.base_url, send_twice, deadline_s=DEADLINE_S)
    assert all(isinstance(verdict, Delivered | Retry) for verdict in verdicts)


def test_a_connection_that_the_server_closed_while_idle_costs_at_most_a_retry() -> None:
    def answer_once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"{}"))

    async def send_twice(client: TrackClient) -> list[Verdict]:
        first = await client.send_batch([OPERATION])
        await asyncio.sleep(0.05)  # the end of the connection must have arrived
        return [first, await client.send_batch([OPERATION])]

    with HostileServer(answer_once) as server:
        first, second = run_with_client(server.base_url, send_twice, deadline_s=DEADLINE_S)
    assert first == DELIVERED
    assert isinstance(second, Delivered | Retry)


def test_a_cookie_of_the_server_is_not_sent_back() -> None:
    seen: list[bytes] = []

    def set_cookie(connection: socket.socket) -> None:
        while request := read_request(connection):
            seen.append(request)
            connection.sendall(answer(b"{}", "200 OK", "set-cookie: session=1; path=/"))

    async def send_twice(client: TrackClient) -> None:
        await client.send_batch([OPERATION])
        await client.send_batch([OPERATION])

    with HostileServer(set_cookie) as server:
        run_with_client(server.base_url, send_twice)
    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()
