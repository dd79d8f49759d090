"""The sandbox as an ASGI application: the Track API with its faults, and the questions under /_sandbox/."""

import asyncio
import socket
import struct
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.customerio.credentials import Credentials
from pipeline.customerio.regions import BASE_URLS, Region
from pipeline.sandbox import v2
from pipeline.sandbox.faults import (
    BrokenJson,
    Fault,
    Faults,
    Items,
    Latency,
    RateLimit,
    ResetAfter,
    ResetBefore,
    SlowBody,
    Status,
    Truncated,
)
from pipeline.sandbox.replies import UNAUTHORIZED, Reply, json_reply
from pipeline.sandbox.routes import ApiRequest, find_route
from pipeline.sandbox.validation import Problem
from pipeline.sandbox.workspace import Workspace

_API = (b"/api/", b"/push/", b"/unsubscribe/")

_NO_LINGER = struct.pack("ii", 1, 0)

_HTML = ((b"content-type", b"text/html; charset=UTF-8"),)


@dataclass(slots=True)
class SandboxState:
    """What the API and the questions about it share."""

    workspace: Workspace
    faults: Faults
    credentials: Credentials | None
    clock: Callable[[], float] = time.time

    def reset(self) -> None:
        """Forget everybody and everything that arrived, and end every fault."""
        self.workspace = self.workspace.emptied()
        self.faults.clear()


class SandboxApp:
    """Routes API requests by their raw path, everything else to `pages`."""

    def __init__(self, state: SandboxState, pages: ASGIApp) -> None:
        self._state = state
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["raw_path"].startswith(_API):
            await self._answer(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        path = scope["raw_path"].decode("latin-1")
        striking = self._state.faults.strike(path, time.monotonic())
        for fault in striking:
            if isinstance(fault, Latency):
                await asyncio.sleep(fault.seconds)
            elif isinstance(fault, ResetBefore):
                return await _break(scope)
            elif isinstance(fault, Status | RateLimit):
                return await _send(send, _failure(fault))
        reply = self._reply(scope, path, body, [fault for fault in striking if isinstance(fault, Items)])
        await _send_with(striking, scope, send, reply)
        return None

    def _reply(self, scope: Scope, path: str, body: bytes, refusing: list[Items]) -> Reply:
        workspace = self._state.workspace
        workspace.journal.requests += 1
        found = find_route(scope["method"], path)
        if isinstance(found, Reply):
            return found
        route, values = found
        if route.authenticated and not self._authorised(scope):
            return UNAUTHORIZED
        now = self._state.clock()
        if refusing and path == "/api/v2/batch":
            return _refuse_items(workspace, body, now, refusing[0])
        query = scope["query_string"].decode("latin-1")
        base_url = BASE_URLS[Region(workspace.region)]
        reply = route.answer(ApiRequest(workspace, scope["method"], path, query, body, now, base_url, values))
        workspace.commit()
        return reply

    def _authorised(self, scope: Scope) -> bool:
        expected = self._state.credentials
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if expected is None:
            return _is_basic(given)
        return bool(given == expected.authorization.encode("ascii"))


def _is_basic(value: bytes) -> bool:
    """Tell whether a header holds some pair of user and password, which is enough where none is set."""
    scheme, _, encoded = value.partition(b" ")
    try:
        return scheme.lower() == b"basic" and b":" in b64decode(encoded, validate=True)
    except ValueError:
        return False


async def _read(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    chunks = [body]
    while message.get("more_body"):
        message = await receive()
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


async def _send(send: Send, reply: Reply) -> None:
    length = (b"content-length", str(len(reply.body)).encode("ascii"))
    headers = reply.headers if reply.status == 204 else (*reply.headers, length)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _send_with(striking: list[Fault], scope: Scope, send: Send, reply: Reply) -> None:
    for fault in striking:
        if isinstance(fault, ResetAfter):
            return await _break(scope)
        if isinstance(fault, BrokenJson):
            return await _send(send, Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers))
        if isinstance(fault, SlowBody | Truncated):
            seconds = fault.seconds if isinstance(fault, SlowBody) else None
            return await _send_in_two(scope, send, reply, seconds)
    return await _send(send, reply)


async def _send_in_two(scope: Scope, send: Send, reply: Reply, seconds: float | None) -> None:
    """Send half of the body, then the rest after `seconds`, or end the connection when that is None."""
    length = (b"content-length", str(len(reply.body)).encode("ascii"))
    half = len(reply.body) // 2
    await send({"type": "http.response.start", "status": reply.status, "headers": (*reply.headers, length)})
    await send({"type": "http.response.body", "body": reply.body[:half], "more_body": True})
    if seconds is None:
        scope["state"]["transport"].close()
        await asyncio.sleep(0)
    else:
        await asyncio.sleep(seconds)
        await send({"type": "http.response.body", "body": reply.body[half:]})


async def _break(scope: Scope) -> None:
    """Reset the connection: with no time to linger the client sees a reset, not an orderly end."""
    transport = scope["state"]["transport"]
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await asyncio.sleep(0)  # the server must see that the client is gone before this request ends


def _failure(fault: Status | RateLimit) -> Reply:
    status = 429 if isinstance(fault, RateLimit) else fault.status
    text = fault.body if isinstance(fault, Status) else None
    if status == 502 and text is None:
        text = "<html><head><title>502 Server Error</title></head><body><h1>Error: Server Error</h1></body></html>"
    reply = json_reply(status, {"meta": {"error": f"fault: {status}"}})
    if text is not None:
        kind = reply.headers if text.startswith(("{", "[")) else _HTML
        reply = Reply(status, text.encode(), kind)
    extra = []
    if fault.retry_after is not None:
        extra.append((b"retry-after", str(fault.retry_after).encode("latin-1")))
    if isinstance(fault, Status) and fault.location is not None:
        extra.append((b"location", fault.location.encode("latin-1")))
    return Reply(reply.status, reply.body, (*reply.headers, *extra))


def _refuse_items(workspace: Workspace, body: bytes, now: float, fault: Items) -> Reply:
    problem = Problem("invalid", "attributes", "refused by a fault of the sandbox")
    v2.batch(workspace, body, now, dict.fromkeys(fault.indexes, problem))
    named = ({"batch_index": index} if fault.named else {} for index in fault.indexes)
    errors = [{**name, **problem.document()} for name in named for _ in range(fault.repeat)]
    return json_reply(207, {"errors": errors})
