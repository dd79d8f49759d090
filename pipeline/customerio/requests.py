"""HTTP requests to the Track API: v2 batches of operations, and the v1 request of one operation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.calls import Identity, IdentityKind
from pipeline.customerio.identifiers import path_value, quote_segment
from pipeline.customerio.operations import Operation

BATCH_PATH = "/api/v2/batch"
REGION_PATH = "/api/v1/accounts/region"

_BATCH_START = b'{"batch":['
_BATCH_END = b"]}"

BATCH_FRAME_BYTES = len(_BATCH_START) + len(_BATCH_END)
"""What a batch weighs beside its operations and the commas between them."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request: `path` is percent-encoded and starts at the host, `body` is JSON in UTF-8."""

    method: str
    path: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class NoV1Request:
    """Why an operation cannot be said in v1, in a sentence without values."""

    text: str


def batch_request(payloads: Sequence[bytes]) -> HttpRequest:
    """Return the v2 batch of operations that are encoded already."""
    return HttpRequest("POST", BATCH_PATH, _BATCH_START + b",".join(payloads) + _BATCH_END)


def batch_size(payloads: Sequence[bytes]) -> int:
    """Return the bytes of the batch's body."""
    return BATCH_FRAME_BYTES + sum(map(len, payloads)) + max(0, len(payloads) - 1)


def v1_request(operation: Operation) -> HttpRequest | NoV1Request:
    """Return the v1 request that says the same as a v2 operation on a person.

    v1 guesses from its shape how a person is named; where it would guess wrongly there is no v1 request.
    """
    action = operation["action"]
    if action == "merge":
        return _merge(operation)
    identity = _identity(operation["identifiers"])
    if action in _EVENT_TYPES and identity.kind is IdentityKind.ANONYMOUS_ID:
        return _event("/api/v1/events", operation, {"anonymous_id": identity.value})
    value = path_value(identity)
    if value is None:
        return NoV1Request(f"v1 would not read this {identity.kind} as what it is")
    return _PERSON_REQUESTS[action](f"/api/v1/customers/{quote_segment(value)}", operation)


def _identity(identifiers: Mapping[str, str]) -> Identity:
    ((kind, value),) = identifiers.items()
    return Identity(IdentityKind(kind), value)


def _json(method: str, path: str, body: object) -> HttpRequest:
    return HttpRequest(method, path, orjson.dumps(body))


def _merge(operation: Operation) -> HttpRequest:
    body = {"primary": operation["primary"], "secondary": operation["secondary"]}
    return _json("POST", "/api/v1/merge_customers", body)


_EVENT_TYPES = {"event": None, "page": "page", "screen": "screen"}


def _event(path: str, operation: Operation, more: Mapping[str, str]) -> HttpRequest:
    body: dict[str, Any] = {"name": operation["name"]}
    event_type = _EVENT_TYPES[operation["action"]]
    if event_type is not None:
        body["type"] = event_type
    for key in ("id", "timestamp"):
        if key in operation:
            body[key] = operation[key]
    body["data"] = operation.get("attributes", {})
    return _json("POST", path, {**body, **more})


def _person_event(person: str, operation: Operation) -> HttpRequest:
    return _event(f"{person}/events", operation, {})


def _identify(person: str, operation: Operation) -> HttpRequest:
    body = dict(operation.get("attributes", {}))
    if "timestamp" in operation:
        body.setdefault("_timestamp", operation["timestamp"])
    if "cio_relationships" in operation:
        body["cio_relationships"] = {
            "action": "add_relationships",
            "relationships": operation["cio_relationships"],
        }
    return _json("PUT", person, body)


def _relate(person: str, operation: Operation) -> HttpRequest:
    relationships = {"action": operation["action"], "relationships": operation["cio_relationships"]}
    return _json("PUT", person, {"cio_relationships": relationships})


def _add_device(person: str, operation: Operation) -> HttpRequest:
    device = dict(operation["device"])
    return _json("PUT", f"{person}/devices", {"device": {"id": device.pop("token"), **device}})


def _delete_device(person: str, operation: Operation) -> HttpRequest | NoV1Request:
    token = operation["device"]["token"]
    if token in {".", ".."}:
        return NoV1Request("this device token is a step in a path")
    return HttpRequest("DELETE", f"{person}/devices/{quote_segment(token)}")


_PERSON_REQUESTS: Mapping[str, Callable[[str, Operation], HttpRequest | NoV1Request]] = {
    "identify": _identify,
    "event": _person_event,
    "page": _person_event,
    "screen": _person_event,
    "delete": lambda person, _: HttpRequest("DELETE", person),
    "suppress": lambda person, _: _json("POST", f"{person}/suppress", {}),
    "unsuppress": lambda person, _: _json("POST", f"{person}/unsuppress", {}),
    "add_device": _add_device,
    "delete_device": _delete_device,
    "add_relationships": _relate,
    "delete_relationships": _relate,
}
