"""What goes over the wire: the bytes of paths, headers, one send a request, connections, credentials."""

import asyncio
import threading
from socket import socket

import pytest

from pipeline.customerio.client import USER_AGENT, Answer, TrackClient
from pipeline.customerio.credentials import Credentials
from pipeline.customerio.requests import HttpRequest
from pipeline.customerio.transport import KEEPALIVE_EXPIRY_S
from pipeline.customerio.verdicts import DELIVERED, Delivered, Fatal, Retry, Verdict
from tests.customerio_made import run_with_client, track
from tests.servers.hostile import HostileServer, Recorder, answer, answering, read_request, wait_for_client
from tests.servers.sandbox import API_KEY, CREDENTIALS, SITE_ID, SandboxThread


def exchange(base_url: str, request: HttpRequest) -> Answer | Retry:
    return run_with_client(base_url, lambda client: client.exchange(request), deadline_s=2)


@pytest.mark.parametrize(
    "segment",
    [
        "a%2Fb",
        "a%252Fb",
        "%40",
        "%21%27%28%29%2A",
        "%2E",
        "%2E%2E",
        "zo%C3%AB",
        "%F0%9F%98%80",
        "a%0Ab",
        "~x-y_z.",
        "%20",
    ],
)
def test_the_bytes_of_a_path_go_out_as_they_are(segment: str) -> None:
    path = f"/api/v1/customers/{segment}/events?x=%2F&y=a+b"
    recorder = Recorder()
    with HostileServer(recorder) as server:
        exchange(server.base_url, HttpRequest("PUT", path, b"{}"))
    assert recorder.request_lines == [f"PUT {path} HTTP/1.1"]


def test_a_request_says_who_it_is_from_and_what_it_carries() -> None:
    recorder = Recorder()
    with HostileServer(recorder) as server:
        exchange(server.base_url, HttpRequest("POST", "/api/v2/batch", b"{}"))
    head = recorder.requests[0].decode("latin-1").split("\r\n\r\n")[0]
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
    assert headers["authorization"] == CREDENTIALS.authorization.lower()
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == "2"
    assert headers["user-agent"] == USER_AGENT.lower()
    assert "cookie" not in headers
    assert "expect" not in headers


def test_the_credentials_are_basic_authentication() -> None:
    assert Credentials("SITE", "KEY").authorization == "Basic U0lURTpLRVk="


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_a_request_on_a_connection_that_was_closed_is_not_sent_again_behind_our_back(method: str) -> None:
    sent: list[bytes] = []

    def close_on_the_second(connection: socket) -> None:
        sent.append(read_request(connection))
        connection.sendall(answer(b"{}"))
        sent.append(read_request(connection))

    async def exchange_twice(client: TrackClient) -> list[Answer | Retry]:
        request = HttpRequest(method, "/api/v1/customers/1", None if method in {"GET", "DELETE"} else b"{}")
        return [await client.exchange(request), await client.exchange(request)]

    with HostileServer(close_on_the_second) as server:
        _, second = run_with_client(server.base_url, exchange_twice, deadline_s=2)
        assert isinstance(second, Retry)
        assert second.outcome_unknown
        assert server.connections == 1
    assert len(sent) == 2


def test_connections_are_kept_and_used_again() -> None:
    recorder = Recorder()

    async def send_often(client: TrackClient) -> None:
        for _ in range(5):
            assert await client.send_batch([track("u1")]) == DELIVERED

    with HostileServer(recorder) as server:
        run_with_client(server.base_url, send_often)
        assert server.connections == 1
    assert len(recorder.requests) == 5


def test_idle_connections_end_before_the_front_end_of_customerio_ends_them() -> None:
    assert KEEPALIVE_EXPIRY_S < 5


def test_no_more_connections_are_opened_than_allowed() -> None:
    async def send_at_once(client: TrackClient) -> list[Verdict]:
        return await asyncio.gather(*(client.send_batch([track(f"u{number}")]) for number in range(20)))

    with HostileServer(answering(answer(b"{}"), pause_s=0.01)) as server:
        verdicts = run_with_client(server.base_url, send_at_once, max_connections=3)
        assert server.connections <= 3
    assert verdicts == [DELIVERED] * 20


def test_new_credentials_are_taken_up_after_a_401() -> None:
    current = [Credentials(SITE_ID, "old")]

    async def send(client: TrackClient) -> list[Verdict]:
        refused = await client.send_batch([track("u1")])
        current[0] = Credentials(SITE_ID, API_KEY)
        return [refused, await client.send_batch([track("u1")])]

    async def run(base_url: str) -> list[Verdict]:
        client = TrackClient(lambda: current[0], base_url)
        try:
            return await send(client)
        finally:
            await client.aclose()

    with SandboxThread() as sandbox:
        refused, accepted = asyncio.run(run(sandbox.base_url))
        assert isinstance(refused, Fatal)
        assert accepted == DELIVERED
        assert sandbox.counts()["calls"] == {"track": 1}


def test_a_secret_that_cannot_be_read_again_leaves_the_401() -> None:
    given = iter([Credentials(SITE_ID, "wrong")])

    async def run(base_url: str) -> Verdict:
        client = TrackClient(lambda: next(given), base_url)
        try:
            return await client.send_batch([track("u1")])
        finally:
            await client.aclose()

    with SandboxThread() as sandbox:
        verdict = asyncio.run(run(sandbox.base_url))
    assert isinstance(verdict, Fatal)
    assert verdict.status == 401


def test_cancelling_an_attempt_is_not_swallowed() -> None:
    arrived = threading.Event()

    def never_answer(connection: socket) -> None:
        read_request(connection)
        arrived.set()
        wait_for_client(connection)

    async def cancel(client: TrackClient) -> None:
        attempt = asyncio.ensure_future(client.send_batch([track("u1")]))
        assert await asyncio.to_thread(arrived.wait, 5)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

    with HostileServer(never_answer) as server:
        run_with_client(server.base_url, cancel)


@pytest.mark.parametrize("region", ["us", "eu"])
def test_the_region_of_an_account_is_asked_for(region: str) -> None:
    with SandboxThread(region=region) as sandbox:
        assert run_with_client(sandbox.base_url, lambda client: client.ask_region()) == region


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b'{"region":"mars"}', b'{"region":null}'])
def test_an_answer_that_does_not_tell_the_region_is_fatal(body: bytes) -> None:
    with HostileServer(answering(answer(body))) as server:
        assert isinstance(run_with_client(server.base_url, lambda client: client.ask_region()), Fatal)


def test_wrong_credentials_tell_no_region() -> None:
    with SandboxThread() as sandbox:
        wrong = Credentials(SITE_ID, "wrong")
        verdict = run_with_client(sandbox.base_url, lambda client: client.ask_region(), wrong)
    assert isinstance(verdict, Fatal)


def test_a_single_operation_goes_by_v1() -> None:
    recorder = Recorder()
    with HostileServer(recorder) as server:
        verdict = run_with_client(server.base_url, lambda client: client.send_single(track("a/b")))
    assert isinstance(verdict, Delivered)
    assert recorder.request_lines == ["POST /api/v1/customers/a%2Fb/events HTTP/1.1"]
