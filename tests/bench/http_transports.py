"""CPU time a request for each HTTP transport that could carry batches: `python -m tests.bench.http_transports`.

A receiver in a process of its own only frames HTTP. Every candidate sends the same requests at 16 connections, in
alternating rounds; what counts is the CPU time of this process with all its threads, the median over the rounds.
"""

import argparse
import asyncio
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import uvloop

from pipeline.customerio.transport import AiohttpTransport
from tests.bench.http_receiver import start_receiver

CONNECTIONS = 16
SIZES = {"1 kB": (1_000, 1_000), "475 kB": (475_000, 100)}

Send = Callable[[str, bytes], Coroutine[Any, Any, None]]
Close = Callable[[], Coroutine[Any, Any, None]]

HEADERS = {"authorization": "Basic x", "content-type": "application/json", "user-agent": "bench"}


def through_client(client: Any) -> tuple[Send, Close]:
    """Send as a program does that uses httpx's client."""

    async def send(url: str, body: bytes) -> None:
        async with client.stream("POST", url, content=body, headers=HEADERS) as response:
            async for _chunk in response.aiter_bytes():
                pass
        assert response.status_code == 200

    return send, client.aclose


def through_transport(transport: httpx.AsyncBaseTransport) -> tuple[Send, Close]:
    """Send as pipeline.customerio.client does: httpx's requests and answers, its transport port, no client."""

    async def send(url: str, body: bytes) -> None:
        request = httpx.Request("POST", url, content=body, headers=HEADERS)
        response = await transport.handle_async_request(request)
        async for _chunk in response.aiter_bytes():
            pass
        await response.aclose()
        assert response.status_code == 200

    return send, transport.aclose


def limits(module: Any) -> Any:
    return module.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=4
    )


def plain_httpx() -> tuple[Send, Close]:
    return through_client(httpx.AsyncClient(limits=limits(httpx), timeout=30, trust_env=False))


def httpx_with_aiohttp() -> tuple[Send, Close]:
    transport = importlib.import_module("httpx_aiohttp").AiohttpTransport(limits=limits(httpx))
    return through_client(httpx.AsyncClient(transport=transport, timeout=30, trust_env=False))


def httpx_with_reqwest() -> tuple[Send, Close]:
    transport = importlib.import_module("pyreqwest.compatibility.httpx").HttpxTransport()
    return through_client(httpx.AsyncClient(transport=transport, timeout=30, trust_env=False))


def httpx2() -> tuple[Send, Close]:
    module = importlib.import_module("httpx2")
    return through_client(module.AsyncClient(limits=limits(module), timeout=30, trust_env=False))


def ours() -> tuple[Send, Close]:
    return through_transport(AiohttpTransport(CONNECTIONS))


CANDIDATES: dict[str, Callable[[], tuple[Send, Close]]] = {
    "httpx 0.28 (httpcore)": plain_httpx,
    "httpx2 (httpcore2)": httpx2,
    "httpx + pyreqwest": httpx_with_reqwest,
    "httpx + httpx-aiohttp": httpx_with_aiohttp,
    "ours: port over aiohttp": ours,
}


async def send_all(make: Callable[[], tuple[Send, Close]], url: str, body: bytes, count: int) -> float:
    """Return the CPU seconds a request."""
    send, close = make()
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await send(url, body)

    await send(url, body)
    started = time.process_time()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    taken = (time.process_time() - started) / count
    await close()
    return taken


def available() -> dict[str, Callable[[], tuple[Send, Close]]]:
    found = {}
    for name, make in CANDIDATES.items():
        try:
            make()
        except ImportError as error:
            print(f"{name}: not installed ({error.name})", file=sys.stderr)
        else:
            found[name] = make
    return found


def measure(run: Callable[[Coroutine[Any, Any, float]], float], url: str, rounds: int) -> None:
    candidates = available()
    for label, (size, count) in SIZES.items():
        body = b"x" * size
        taken: dict[str, list[float]] = {name: [] for name in candidates}
        for _ in range(rounds):
            for name, make in candidates.items():
                taken[name].append(run(send_all(make, url, body, count)))
        for name, seconds in taken.items():
            middle = statistics.median(seconds) * 1e6
            print(
                f"  {label:>7}  {name:<24} {middle:7.0f} us of CPU a request (min {min(seconds) * 1e6:.0f})"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    receiver, url = start_receiver()
    try:
        print("asyncio:")
        measure(asyncio.run, url, rounds)
        print("uvloop:")
        measure(uvloop.run, url, rounds)
    finally:
        receiver.terminate()
        receiver.wait()


if __name__ == "__main__":
    main()
