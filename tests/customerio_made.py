"""Calls, operations and a client for tests of the Customer.io side."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pipeline.calls import Call, CallKind, CallSource, Identity, IdentityKind
from pipeline.customerio.client import TrackClient
from pipeline.customerio.credentials import Credentials
from pipeline.customerio.operations import encode_operation
from tests.servers.sandbox import CREDENTIALS

EVENT_IDS = tuple(f"01HB4HBDKTFWYZCK01DM{number:06d}" for number in range(1000))

Answer = TypeVar("Answer")


def call(
    kind: CallKind,
    value: str = "u1",
    attributes: Mapping[str, Any] | None = None,
    *,
    identity: IdentityKind = IdentityKind.ID,
    name: str | None = None,
    timestamp: float | None = None,
    secondary: Identity | None = None,
    **options: Any,
) -> Call:
    """Return a call of a rule called r."""
    return Call(
        CallSource("r", kind, name),
        Identity(identity, value),
        attributes or {},
        name=name,
        timestamp=timestamp,
        secondary=secondary,
        options=options,
    )


def encoded(made: Call, event_id: str | None = None) -> bytes:
    """Return a call's v2 operation."""
    payload = encode_operation(made, event_id)
    assert isinstance(payload, bytes), payload
    return payload


def track(value: str, name: str = "order_placed", event_id: str | None = None, **attributes: Any) -> bytes:
    """Return the v2 operation of an event."""
    return encoded(call(CallKind.TRACK, value, attributes, name=name, timestamp=1_700_000_000), event_id)


def identify(value: str, timestamp: float | None = 1_700_000_000, **attributes: Any) -> bytes:
    """Return the v2 operation of an identify."""
    return encoded(call(CallKind.IDENTIFY, value, attributes, timestamp=timestamp))


def run_with_client(
    base_url: str,
    use: Callable[[TrackClient], Awaitable[Answer]],
    credentials: Credentials = CREDENTIALS,
    **settings: Any,
) -> Answer:
    """Run `use` with a client of its own, within a loop of its own."""

    async def run() -> Answer:
        client = TrackClient(lambda: credentials, base_url, **settings)
        try:
            return await use(client)
        finally:
            await client.aclose()

    return asyncio.run(run())
