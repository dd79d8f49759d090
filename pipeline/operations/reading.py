"""Bodies of requests, read up to a bound."""

from typing import Any

import orjson
from starlette.requests import Request


class BodyTooLargeError(Exception):
    """The body is larger than it may be."""


async def read_json_body(request: Request, most_bytes: int) -> Any:
    """Return the JSON value in a request's body.

    Raises:
        BodyTooLargeError: it is larger than it may be; the rest is not read.
        ValueError: it is not JSON.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise BodyTooLargeError
    return orjson.loads(body)
