"""The v2 operation of a call: a dictionary, and its bytes on the wire.

`Call.options` holds what only one kind has, in the API's own words:

- add_device, delete_device: `device`, a mapping of `token`, `platform`, `last_used`, `attributes`;
- relate: `relationships`, a list of `{identifiers, relationship_attributes}`, and `action`, `add` (the
  default) or `delete`;
- identify: `relationships`, to add while the person is updated;
- raw: `request`, see `pipeline.customerio.raw`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from pipeline.calls import Call, CallFailure, CallKind, Identity, IdentityKind, Reason

Operation = dict[str, Any]

RAW_TYPE = "raw"
"""The type of an operation that is a raw request; it never travels in a batch."""


def encode_operation(
    call: Call, event_id: str | None, *, identify_timestamp: bool = True
) -> bytes | CallFailure:
    """Return the call as compact UTF-8 JSON, or why it cannot be written.

    `event_id` is the ULID of an event, page or screen. With `identify_timestamp` an identify carries its time,
    so that Customer.io passes over one that comes late.
    """
    operation = _BUILDERS[call.source.kind](call)
    if event_id is not None:
        operation["id"] = event_id
    if not identify_timestamp and call.source.kind is CallKind.IDENTIFY:
        operation.pop("timestamp", None)
    try:
        # orjson's result keeps the 4 kB that it was written in; the copy without the newline keeps only its own length.
        return orjson.dumps(operation, default=_as_plain, option=orjson.OPT_APPEND_NEWLINE)[:-1]
    except TypeError as error:
        return CallFailure(call.source, Reason.INVALID_ATTRIBUTE, _encode_problem(error), "attributes")


def identifiers(identity: Identity | None) -> dict[str, str]:
    """Return an identity as v2 names it: a cio_id there has no `cio_` in front.

    Raises:
        ValueError: there is no identity; `pipeline.customerio.limits.check` says so before.
    """
    if identity is None:
        raise ValueError("a call without an identity")
    kind, value = identity
    return {_NAMES[kind]: value.removeprefix("cio_") if kind is IdentityKind.CIO_ID else value}


_NAMES: Mapping[IdentityKind, str] = {
    kind: kind.value for kind in IdentityKind
}  # orjson takes no key but plain text


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _encode_problem(error: TypeError) -> str:
    """Say in our own words what orjson refused: its words may quote the value."""
    text = str(error)
    if "surrogates" in text:
        return "a text holds half a surrogate pair, which UTF-8 cannot carry"
    if "64-bit" in text:
        return "a whole number needs more than 64 bits, which Customer.io's JSON cannot carry"
    if "recursion" in text:
        return "an attribute is nested too deeply"
    return "an attribute holds a value that JSON cannot carry"


def _person(call: Call, action: str) -> Operation:
    return {"type": "person", "identifiers": identifiers(call.identity), "action": action}


def _event(action: str) -> Callable[[Call], Operation]:
    def build(call: Call) -> Operation:
        operation: Operation = {
            "type": "person",
            "identifiers": identifiers(call.identity),
            "action": action,
            "name": call.name,
            "attributes": call.attributes,
        }
        if call.timestamp is not None:
            operation["timestamp"] = call.timestamp
        return operation

    return build


def _identify(call: Call) -> Operation:
    operation = _person(call, "identify")
    if call.timestamp is not None:
        operation["timestamp"] = call.timestamp
    operation["attributes"] = call.attributes
    relationships = call.options.get("relationships")
    if relationships:
        operation["cio_relationships"] = relationships
    return operation


def _simple(action: str) -> Callable[[Call], Operation]:
    return lambda call: _person(call, action)


def _merge(call: Call) -> Operation:
    return {
        "type": "person",
        "action": "merge",
        "primary": identifiers(call.identity),
        "secondary": identifiers(call.secondary),
    }


def _add_device(call: Call) -> Operation:
    operation = _person(call, "add_device")
    operation["device"] = {key: value for key, value in call.options["device"].items() if value is not None}
    return operation


def _delete_device(call: Call) -> Operation:
    operation = _person(call, "delete_device")
    operation["device"] = {"token": call.options["device"]["token"]}
    return operation


def _relate(call: Call) -> Operation:
    operation = _person(call, f"{call.options.get('action', 'add')}_relationships")
    operation["cio_relationships"] = call.options["relationships"]
    return operation


def _raw(call: Call) -> Operation:
    return {"type": RAW_TYPE, "request": call.options["request"]}


_BUILDERS: Mapping[CallKind, Callable[[Call], Operation]] = {
    CallKind.IDENTIFY: _identify,
    CallKind.TRACK: _event("event"),
    CallKind.PAGE: _event("page"),
    CallKind.SCREEN: _event("screen"),
    CallKind.DESTROY: _simple("delete"),
    CallKind.SUPPRESS: _simple("suppress"),
    CallKind.UNSUPPRESS: _simple("unsuppress"),
    CallKind.MERGE: _merge,
    CallKind.ADD_DEVICE: _add_device,
    CallKind.DELETE_DEVICE: _delete_device,
    CallKind.RELATE: _relate,
    CallKind.RAW: _raw,
}
