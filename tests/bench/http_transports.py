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

import uvloop

from tests.bench.http_receiver import start_receiver

CONNECTIONS = 16
SIZES = {"1 kB": (1_000, 1_000), "475 kB": (475_000, 100)}

Client = Any


def plain_httpx() -> Client:
    httpx = importlib.import_module("httpx")
    limits = httpx.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=4
    )
    return httpx.AsyncClient(limits=limits, timeout=30, trust_env=False)


def httpx_with_aiohttp() -> Client:
    httpx = importlib.import_module("httpx")
    limits = httpx.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=4
    )
    transport = importlib.import_module("httpx_aiohttp").AiohttpTransport(limits=limits)
    return httpx.AsyncClient(transport=transport, timeout=30, trust_env=False)


def httpx_with_reqwest() -> Client:
    httpx = importlib.import_module("httpx")
    transport = importlib.import_module("pyreqwest.compatibility.httpx").HttpxTransport()
    return httpx.AsyncClient(transport=transport, timeout=30, trust_env=False)


def httpx2() -> Client:
    module = importlib.import_module("httpx2")
    limits = module.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=4
    )
    return module.AsyncClient(limits=limits, timeout=30, trust_env=False)


CANDIDATES: dict[str, Callable[[], Client]] = {
    "httpx 0.28 (httpcore)": plain_httpx,
    "httpx + aiohttp": httpx_with_aiohttp,
    "httpx + pyreqwest": httpx_with_reqwest,
    "httpx2 (httpcore2)": httpx2,
}


async def send_all(make: Callable[[], Client], url: str, body: bytes, count: int) -> float:
    """Return the CPU seconds a request."""
    async with make() as client:
        left = iter(range(count))

        async def work() -> None:
            for _ in left:
                async with client.stream(
                    "POST", url, content=body, headers={"authorization": "Basic x"}
                ) as response:
                    async for _chunk in response.aiter_bytes():
                        pass
                assert response.status_code == 200

        await work_once(client, url, body)
        started = time.process_time()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return (time.process_time() - started) / count


async def work_once(client: Client, url: str, body: bytes) -> None:
    """Open a connection before the clock starts."""
    (await client.post(url, content=body)).raise_for_status()


def available() -> dict[str, Callable[[], Client]]:
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
