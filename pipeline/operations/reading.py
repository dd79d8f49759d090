"""Bodies of requests, read up to a bound and checked against a model."""

from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from pipeline.operations.admin_guard import refusal

MOST_BYTES = 2_000_000

Model = TypeVar("Model", bound=BaseModel)


async def read_question(request: Request, model: type[Model]) -> Model | Response:
    """Return what a request's JSON asks, or the answer to one that asks nothing."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return refusal(413, "too_large", f"a request may have {MOST_BYTES:,} bytes at most")
    try:
        return model.model_validate(orjson.loads(body))
    except (ValueError, ValidationError):
        return refusal(400, "request", f"this is not what {request.scope['path']} takes; see docs/admin.md")
