"""The requests that the calls of one event travel in, as documents to look at."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.customerio.operations import RAW_TYPE
from pipeline.customerio.requests import HttpRequest, NoV1Request, batch_request, v1_request
from pipeline.translation import Prepared


def shown_requests(calls: Sequence[Prepared]) -> Iterator[dict[str, Any]]:
    """Yield method, path and body: of one batch, then of each call that travels in a request of its own."""
    together = [call.payload for call in calls if not call.single]
    if together:
        yield _shown(batch_request(together))
    for call in calls:
        if call.single:
            yield _alone(json.loads(call.payload))


def _alone(operation: dict[str, Any]) -> dict[str, Any]:
    if operation["type"] == RAW_TYPE:
        request = operation["request"]
        return {"method": "POST", **request, "path": f"/api{request['path']}"}
    request = v1_request(operation)
    assert not isinstance(request, NoV1Request)  # the translator has refused what v1 cannot say
    return _shown(request)


def _shown(request: HttpRequest) -> dict[str, Any]:
    body = None if request.body is None else json.loads(request.body)
    return {"method": request.method, "path": request.path, "body": body}
