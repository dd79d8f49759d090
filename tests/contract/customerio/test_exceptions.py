"""Whatever a transport raises, an attempt ends in a verdict."""

import asyncio
import ssl

import aiohttp
import httpx

from pipeline.customerio.client import TrackClient
from pipeline.customerio.verdicts import Retry, Verdict
from tests.customerio_made import track
from tests.servers.sandbox import CREDENTIALS

NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class Raising(httpx.AsyncBaseTransport):
    """A transport that fails in a way of our choice."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self._error


def every_exception() -> list[Exception]:
    """One of each class that httpx, aiohttp, ssl, asyncio and the interpreter's I/O can raise."""
    found: list[type[Exception]] = []
    waiting: list[type] = [
        httpx.HTTPError,
        httpx.StreamError,
        aiohttp.ClientError,
        OSError,
        ssl.SSLError,
        ValueError,
    ]
    waiting += [RuntimeError, TimeoutError, EOFError, LookupError, ArithmeticError, TypeError, AssertionError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind not in found and kind.__module__.split(".")[0] in {
            "httpx",
            "aiohttp",
            "ssl",
            "asyncio",
            "builtins",
            "socket",
            "anyio",
            "h11",
            "httpcore",
        }:
            found.append(kind)
    return [kind.__new__(kind, "secret-payload") for kind in found]


def test_every_exception_of_a_transport_is_a_verdict_without_its_words() -> None:
    async def verdicts() -> list[tuple[Exception, Verdict]]:
        return [(error, await verdict_of(error)) for error in every_exception()]

    for error, verdict in asyncio.run(verdicts()):
        assert isinstance(verdict, Retry)
        assert "secret" not in verdict.cause
        assert verdict.outcome_unknown == (not isinstance(error, NEVER_SENT)), type(error)


async def verdict_of(error: Exception) -> Verdict:
    client = TrackClient(lambda: CREDENTIALS, "http://127.0.0.1:1", transport=Raising(error))
    try:
        return await client.send_batch([track("u1")])
    finally:
        await client.aclose()


def test_the_exceptions_of_every_library_involved_are_among_them() -> None:
    modules = {type(error).__module__.split(".")[0] for error in every_exception()}
    assert modules >= {"httpx", "aiohttp", "ssl", "builtins", "asyncio"}
