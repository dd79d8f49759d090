"""From a call to its verdict: check, encode, find the region, send once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from pipeline.calls import Call, CallFailure
from pipeline.cli.call_connection import Connection, require_credentials
from pipeline.cli.call_outcome import show_request, show_verdict
from pipeline.customerio.client import TrackClient
from pipeline.customerio.limits import check
from pipeline.customerio.operations import encode_operation
from pipeline.customerio.regions import Region, base_url_for
from pipeline.customerio.requests import HttpRequest, NoV1Request, batch_request, v1_request
from pipeline.customerio.sizes import check_size, travels_alone
from pipeline.customerio.verdicts import Verdict
from pipeline.errors import ConfigurationError


def send_call(connection: Connection, call: Call, event_id: str | None) -> int:
    """Send one call, or show it, and return the exit status.

    Raises:
        ConfigurationError: Customer.io would not take the call, or the connection is incomplete.
    """
    payload = _encoded(call, event_id)
    request = _request(connection, payload)
    if connection.dry_run:
        return show_request(connection, base_url_for(connection.region, connection.base_url), request)
    require_credentials(connection)
    return show_verdict(connection, asyncio.run(_deliver(connection, payload)), event_id)


@asynccontextmanager
async def open_client(connection: Connection) -> AsyncIterator["TrackClient | Verdict"]:
    """Give a client for the account's region, or the verdict of asking for it."""
    base_url = base_url_for(connection.region, connection.base_url)
    if connection.region is Region.AUTO and connection.base_url is None:
        asking = _client(connection, base_url)
        try:
            region = await asking.ask_region()
        finally:
            await asking.aclose()
        if not isinstance(region, str):
            yield region
            return
        base_url = base_url_for(Region(region))
    client = _client(connection, base_url)
    try:
        yield client
    finally:
        await client.aclose()


def _client(connection: Connection, base_url: str) -> TrackClient:
    return TrackClient(
        connection.credentials,
        base_url,
        deadline_s=connection.timeout_s,
        max_connections=1,
        always_v1=connection.always_v1,
    )


async def _deliver(connection: Connection, payload: bytes) -> Verdict:
    async with open_client(connection) as client:
        return await client.send_batch([payload]) if isinstance(client, TrackClient) else client


def _encoded(call: Call, event_id: str | None) -> bytes:
    failure = check(call)
    if failure is None:
        payload = encode_operation(call, event_id)
        failure = payload if isinstance(payload, CallFailure) else check_size(call, payload)
        if failure is None and isinstance(payload, bytes):
            return payload
    assert failure is not None
    raise ConfigurationError(f"the call cannot be sent: {failure.text}")


def _request(connection: Connection, payload: bytes) -> HttpRequest:
    if not (connection.always_v1 or travels_alone(payload)):
        return batch_request([payload])
    request = v1_request(orjson.loads(payload))
    if isinstance(request, NoV1Request):
        raise ConfigurationError(f"the call cannot be sent: {request.text}; use --api v2")
    return request
