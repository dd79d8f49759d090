"""Customer.io's limits, and the check that a call keeps them.

Sources: SPEC is Customer.io's OpenAPI document of the Track API, ERRORS its page "Invalid API requests". Where
they say "kb" without saying which, the smaller reading is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from pipeline.calls import Call, CallFailure, CallKind, Identity, IdentityKind, Reason
from pipeline.customerio.raw import read_raw_request
from pipeline.customerio.values import utf8_length, values_problem

MAX_IDENTIFIER_BYTES = 150
"""A person's or an object's identifier, in UTF-8 (SPEC, identify)."""

MAX_EVENT_NAME_BYTES = 100
"""An event's, a page's or a screen's name, in UTF-8 (SPEC; ERRORS)."""

MAX_ATTRIBUTE_NAME_BYTES = 150
"""An attribute's name, in UTF-8 (SPEC; ERRORS)."""

MAX_ATTRIBUTE_VALUE_BYTES = 1_000
"""A text value of a person's attribute, in UTF-8 (SPEC; ERRORS)."""

MAX_ATTRIBUTES = 300
"""Attributes in one identify (SPEC; ERRORS)."""

MAX_ITEM_BYTES = 32_000
"""One v2 operation, encoded: "32kb" (SPEC, entity and batch)."""

MAX_BATCH_BYTES = 475_000
"""A whole v2 request body. SPEC says "500kb"; Customer.io's own Python client stops here to leave room."""

MAX_BATCH_ITEMS = 1_000
"""Operations in one v2 batch. SPEC names no limit; other senders are known to use no more."""

MAX_V1_EVENT_DATA_BYTES = 100_000
"""The `data` of a v1 event, encoded (SPEC; ERRORS). Over 32,000 bytes an event fits only v1."""

MAX_SEGMENT_IDS = 1_000
"""Identifiers in one request to a manual segment (SPEC, add_customers)."""

DEVICE_PLATFORMS = frozenset({"ios", "android"})
"""What a device can be (SPEC, device_object_common)."""

_EVENT_IDENTITIES = frozenset(IdentityKind)
_PERSON_IDENTITIES = frozenset(IdentityKind) - {IdentityKind.ANONYMOUS_ID}
_MERGE_IDENTITIES = frozenset({IdentityKind.ID, IdentityKind.EMAIL, IdentityKind.CIO_ID})


def check(call: Call) -> CallFailure | None:
    """Return why Customer.io would not take this call, or None when it keeps every limit that is known.

    The size in bytes is known only when the call is encoded: `pipeline.customerio.operations` checks it.
    """
    return _CHECKS[call.source.kind](call)


def _fail(call: Call, reason: Reason, text: str, field: str | None = None) -> CallFailure:
    return CallFailure(call.source, reason, text, field)


def _check_person(call: Call) -> CallFailure | None:
    return _check_identity(call, call.identity, _PERSON_IDENTITIES, "identity")


def _check_identity(
    call: Call, identity: Identity | None, allowed: frozenset[IdentityKind], place: str
) -> CallFailure | None:
    if identity is None:
        return _fail(call, Reason.NO_IDENTITY, f"{call.kind} needs a person: the {place} is missing", place)
    kind, value = identity
    if kind not in allowed:
        names = ", ".join(sorted(allowed))
        return _fail(call, Reason.INVALID_IDENTITY, f"{call.kind} takes {names}, not {kind}", kind)
    if not value or value.isspace():
        return _fail(call, Reason.INVALID_IDENTITY, f"{kind} is empty", kind)
    if len(value) * 4 > MAX_IDENTIFIER_BYTES and utf8_length(value) > MAX_IDENTIFIER_BYTES:
        text = f"{kind} has {utf8_length(value)} bytes, at most {MAX_IDENTIFIER_BYTES} are allowed"
        return _fail(call, Reason.INVALID_IDENTITY, text, kind)
    return None


def _check_name(call: Call) -> CallFailure | None:
    name = call.name
    if name is None or not name or name.isspace():
        return _fail(call, Reason.INVALID_NAME, f"{call.kind} needs a name that is not blank", "name")
    if len(name) * 4 > MAX_EVENT_NAME_BYTES and utf8_length(name.strip()) > MAX_EVENT_NAME_BYTES:
        text = f"the name has {utf8_length(name.strip())} bytes, at most {MAX_EVENT_NAME_BYTES} are allowed"
        return _fail(call, Reason.INVALID_NAME, text, "name")
    return None


def _check_timestamp(call: Call) -> CallFailure | None:
    timestamp = call.timestamp
    if timestamp is not None and not 0 <= timestamp < inf:
        return _fail(
            call, Reason.INVALID_TIMESTAMP, "the timestamp is not a number of Unix seconds", "timestamp"
        )
    return None


def _check_values(
    call: Call, values: Mapping[str, Any], place: str, *, max_text: int | None = MAX_ATTRIBUTE_VALUE_BYTES
) -> CallFailure | None:
    problem = values_problem(values, place, MAX_ATTRIBUTE_NAME_BYTES, max_text)
    return None if problem is None else _fail(call, Reason.INVALID_ATTRIBUTE, *problem)


def _check_person_attributes(call: Call) -> CallFailure | None:
    attributes = call.attributes
    if len(attributes) > MAX_ATTRIBUTES:
        text = f"{len(attributes)} attributes in one identify, at most {MAX_ATTRIBUTES} are allowed"
        return _fail(call, Reason.INVALID_ATTRIBUTE, text, "attributes")
    if "id" in attributes and not _same_id(call.identity, attributes["id"]):
        text = "the attribute id differs from the person's id; to change an id, name the person by cio_id"
        return _fail(call, Reason.INVALID_ATTRIBUTE, text, "attributes.id")
    return _check_values(call, attributes, "attributes")


def _same_id(identity: Identity | None, value: object) -> bool:
    if identity is None or identity.kind is not IdentityKind.ID:
        return True
    return isinstance(value, str | int) and str(value) == identity.value


def _check_secondary(call: Call) -> CallFailure | None:
    failure = _check_identity(call, call.secondary, _MERGE_IDENTITIES, "secondary")
    if failure is not None or call.identity is None or call.secondary is None:
        return failure
    if call.identity.lane_key != call.secondary.lane_key:
        return None
    return _fail(call, Reason.INVALID_CALL, "primary and secondary are the same person", "secondary")


def _check_device_token(call: Call) -> CallFailure | None:
    device = call.options.get("device")
    if not isinstance(device, Mapping):
        return _fail(call, Reason.INVALID_CALL, f"{call.kind} needs a device", "device")
    token = device.get("token")
    if isinstance(token, str) and token and not token.isspace():
        return None
    return _fail(call, Reason.INVALID_CALL, "device.token must be a text, not blank", "device.token")


def _check_device(call: Call) -> CallFailure | None:
    device = call.options["device"]
    if device.get("platform") not in DEVICE_PLATFORMS:
        return _fail(call, Reason.INVALID_CALL, "device.platform must be ios or android", "device.platform")
    last_used = device.get("last_used")
    if last_used is not None and (isinstance(last_used, bool) or not isinstance(last_used, int)):
        return _fail(call, Reason.INVALID_CALL, "device.last_used must be Unix seconds", "device.last_used")
    attributes = device.get("attributes") or {}
    if not isinstance(attributes, Mapping):
        return _fail(call, Reason.INVALID_CALL, "device.attributes must be an object", "device.attributes")
    return _check_values(call, attributes, "device.attributes")


def _check_relationships(call: Call) -> CallFailure | None:
    relationships = call.options.get("relationships")
    if relationships is None and call.kind is CallKind.IDENTIFY:
        return None
    if not isinstance(relationships, Sequence) or isinstance(relationships, str) or not relationships:
        return _fail(call, Reason.INVALID_CALL, f"{call.kind} needs a list of relationships", "relationships")
    for index, relationship in enumerate(relationships):
        failure = _check_relationship(call, relationship, f"relationships[{index}]")
        if failure is not None:
            return failure
    return None


def _check_relationship(call: Call, relationship: object, place: str) -> CallFailure | None:
    if not isinstance(relationship, Mapping) or not _names_an_object(relationship.get("identifiers")):
        text = f"{place}.identifiers must hold object_type_id and object_id, or cio_object_id"
        return _fail(call, Reason.INVALID_CALL, text, place)
    attributes = relationship.get("relationship_attributes") or {}
    if not isinstance(attributes, Mapping):
        text = f"{place}.relationship_attributes must be an object"
        return _fail(call, Reason.INVALID_CALL, text, place)
    return _check_values(call, attributes, place)


def _names_an_object(identifiers: object) -> bool:
    if not isinstance(identifiers, Mapping):
        return False
    names = [["cio_object_id"], ["object_id", "object_type_id"]]
    return sorted(identifiers) in names and all(
        isinstance(value, str) and value and utf8_length(value) <= MAX_IDENTIFIER_BYTES
        for value in identifiers.values()
    )


def _check_action(call: Call) -> CallFailure | None:
    if call.options.get("action", "add") in {"add", "delete"}:
        return None
    return _fail(call, Reason.INVALID_CALL, "action must be add or delete", "action")


def _check_raw(call: Call) -> CallFailure | None:
    request = read_raw_request(call.options.get("request"))
    return _fail(call, Reason.INVALID_CALL, request, "request") if isinstance(request, str) else None


def _check_event(call: Call) -> CallFailure | None:
    return (
        _check_identity(call, call.identity, _EVENT_IDENTITIES, "identity")
        or _check_name(call)
        or _check_timestamp(call)
        or _check_values(call, call.attributes, "attributes", max_text=None)
    )


def _check_identify(call: Call) -> CallFailure | None:
    return (
        _check_person(call)
        or _check_timestamp(call)
        or _check_person_attributes(call)
        or _check_relationships(call)
    )


def _check_merge(call: Call) -> CallFailure | None:
    return _check_identity(call, call.identity, _MERGE_IDENTITIES, "identity") or _check_secondary(call)


_CHECKS: Mapping[CallKind, Callable[[Call], CallFailure | None]] = {
    CallKind.IDENTIFY: _check_identify,
    CallKind.TRACK: _check_event,
    CallKind.PAGE: _check_event,
    CallKind.SCREEN: _check_event,
    CallKind.DESTROY: _check_person,
    CallKind.SUPPRESS: _check_person,
    CallKind.UNSUPPRESS: _check_person,
    CallKind.MERGE: _check_merge,
    CallKind.ADD_DEVICE: lambda call: _check_person(call) or _check_device_token(call) or _check_device(call),
    CallKind.DELETE_DEVICE: lambda call: _check_person(call) or _check_device_token(call),
    CallKind.RELATE: lambda call: _check_person(call) or _check_action(call) or _check_relationships(call),
    CallKind.RAW: _check_raw,
}
