"""The v1 endpoints: each request is said as a v2 operation, so that both versions do the same to the same people."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.customerio.identifiers import guess_identity
from pipeline.customerio.limits import (
    MAX_ATTRIBUTE_NAME_BYTES,
    MAX_ATTRIBUTE_VALUE_BYTES,
    MAX_ATTRIBUTES,
    MAX_SEGMENT_IDS,
    MAX_V1_EVENT_DATA_BYTES,
)
from pipeline.customerio.values import utf8_length
from pipeline.sandbox.replies import NO_CONTENT, OK, Reply, v1_error, v1_errors
from pipeline.sandbox.validation import validate
from pipeline.sandbox.workspace import Workspace

Document = dict[str, Any]

_EVENT_ACTIONS = {"page": "page", "screen": "screen"}
_SEGMENT_ID_TYPES = frozenset({"id", "email", "cio_id"})
_MAX_INT32 = 2**31 - 1
_INTEGER = re.compile(r"-?[0-9]{1,10}\Z")


def identify(workspace: Workspace, identifier: str, body: Document, now: float) -> Reply:
    """PUT /api/v1/customers/{identifier}: the body is the attributes."""
    attributes = dict(body)
    relations = attributes.pop("cio_relationships", None)
    errors = _attribute_errors(identifier, attributes)
    if errors:
        return v1_errors(errors)
    identified = {**_person(identifier, "identify"), "attributes": attributes}
    if not isinstance(relations, dict):
        return _take(workspace, identified, now)
    action = (
        "delete_relationships" if relations.get("action") == "delete_relationships" else "add_relationships"
    )
    relation = {**_person(identifier, action), "cio_relationships": relations.get("relationships")}
    problem = validate(relation)
    if attributes and problem is None:
        reply = _take(workspace, identified, now)
        if reply is not OK:
            return reply
    return _take(workspace, relation, now)


def destroy(workspace: Workspace, identifier: str, now: float) -> Reply:
    """DELETE /api/v1/customers/{identifier}."""
    return _take(workspace, _person(identifier, "delete"), now)


def suppression(workspace: Workspace, identifier: str, action: str, now: float) -> Reply:
    """POST /api/v1/customers/{identifier}/suppress and /unsuppress."""
    return _take(workspace, _person(identifier, action), now)


def event(workspace: Workspace, identifier: str, body: Document, now: float) -> Reply:
    """POST /api/v1/customers/{identifier}/events."""
    return _event(workspace, _identifiers(identifier), body, now)


def anonymous_event(workspace: Workspace, body: Document, now: float) -> Reply:
    """POST /api/v1/events: of a visitor, or without an anonymous id an invitation of `data.recipient`."""
    visitor = body.get("anonymous_id")
    if visitor is None:
        data = body.get("data")
        visitor = f"invite:{data.get('recipient') if isinstance(data, dict) else None}"
    return _event(workspace, {"anonymous_id": visitor}, body, now)


def add_device(workspace: Workspace, identifier: str, body: Document, now: float) -> Reply:
    """PUT /api/v1/customers/{identifier}/devices: v1 says `id` where v2 says `token`."""
    device = body.get("device")
    if isinstance(device, dict):
        device = {**device, "token": device.get("id")}
        device.pop("id", None)
    return _take(workspace, {**_person(identifier, "add_device"), "device": device}, now)


def delete_device(workspace: Workspace, identifier: str, token: str, now: float) -> Reply:
    """DELETE /api/v1/customers/{identifier}/devices/{device_id}."""
    return _take(workspace, {**_person(identifier, "delete_device"), "device": {"token": token}}, now)


def merge(workspace: Workspace, body: Document, now: float) -> Reply:
    """POST /api/v1/merge_customers."""
    operation = {**body, "type": "person", "action": "merge"}
    problem = workspace.take(operation, now)
    return OK if problem is None else v1_error(f"{problem.field}: {problem.message}")


def segment(
    workspace: Workspace, segment_id: str, *, adding: bool, id_type: str, body: Document, now: float
) -> Reply:
    """POST /api/v1/segments/{segment_id}/add_customers and /remove_customers; ids nobody has are ignored."""
    if not _INTEGER.match(segment_id) or abs(int(segment_id)) > _MAX_INT32:
        return v1_errors(["segment_id must be an integer"])
    if id_type not in _SEGMENT_ID_TYPES:
        return v1_errors(["id_type must be one of id, email, cio_id"])
    ids = body.get("ids")
    if (
        not isinstance(ids, list)
        or not 1 <= len(ids) <= MAX_SEGMENT_IDS
        or not all(isinstance(i, str) for i in ids)
    ):
        return v1_errors([f"ids must be an array of 1 to {MAX_SEGMENT_IDS} strings"])
    change = {"segment": int(segment_id), "adding": adding, "id_type": id_type, "ids": ids}
    workspace.change_segment(change, now)
    return OK


def form(workspace: Workspace, body: Document, now: float) -> Reply:
    """POST /api/v1/forms/{form_id}/submit: identifies who filled it in; values are texts."""
    data = body.get("data")
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        return v1_errors(["data must be an object of strings"])
    named = {kind: data[kind] for kind in ("id", "email") if data.get(kind)}
    if len(named) != 1:
        return v1_errors(["data must have exactly one of id, email"])
    operation = {"type": "person", "action": "identify", "identifiers": named, "attributes": data}
    reply = _take(workspace, operation, now)
    return NO_CONTENT if reply is OK else reply


def delivery(workspace: Workspace, delivery_id: object, metric: object, now: float) -> Reply:
    """POST /api/v1/metrics, /push/events and /unsubscribe/{delivery_id}: something happened to a message.

    Only 200 is documented, whatever the message: what makes no sense is counted as refused.
    """
    workspace.take(
        {"type": "delivery", "action": "event", "identifiers": {"id": delivery_id}, "name": metric}, now
    )
    return OK


def _person(identifier: str, action: str) -> Document:
    return {"type": "person", "action": action, "identifiers": _identifiers(identifier)}


def _identifiers(identifier: str) -> dict[str, str]:
    identity = guess_identity(identifier)
    return {identity.kind.value: identity.value}


def _take(workspace: Workspace, operation: Document, now: float) -> Reply:
    problem = workspace.take(operation, now)
    if problem is None:
        return OK
    if problem.field.startswith("identifiers"):
        return v1_errors([f"id attribute {problem.message}"])
    return v1_errors([problem.message])


def _event(workspace: Workspace, identifiers: Mapping[str, object], body: Document, now: float) -> Reply:
    data = body.get("data")
    if data is not None and not isinstance(data, dict):
        return v1_errors(["event data must be a hash"])
    if data is not None and len(orjson.dumps(data)) > MAX_V1_EVENT_DATA_BYTES:
        return v1_errors([f"event data cannot be longer than {MAX_V1_EVENT_DATA_BYTES} bytes"])
    kind = body.get("type")
    action = _EVENT_ACTIONS.get(kind, "event") if isinstance(kind, str) else "event"
    operation = {"type": "person", "action": action, "identifiers": identifiers, "attributes": data or {}}
    operation |= {key: body[key] for key in ("name", "id", "timestamp") if key in body}
    return _take(workspace, operation, now)


def _attribute_errors(identifier: str, attributes: Document) -> list[str]:
    """Return every message about attributes: v1 names all of them at once."""
    errors = []
    if len(attributes) > MAX_ATTRIBUTES:
        errors.append(f"cannot identify more than {MAX_ATTRIBUTES} attributes in one request")
    named = _identifiers(identifier).get("id")
    if "id" in attributes and named is not None and str(attributes["id"]) != named:
        errors.append("id attribute and identifier are not the same value")
    for name, value in attributes.items():
        if utf8_length(name) > MAX_ATTRIBUTE_NAME_BYTES:
            errors.append(f"attribute name cannot be longer than {MAX_ATTRIBUTE_NAME_BYTES} bytes")
        if isinstance(value, str) and utf8_length(value) > MAX_ATTRIBUTE_VALUE_BYTES:
            errors.append(
                f"value for attribute '{name}' cannot be longer than {MAX_ATTRIBUTE_VALUE_BYTES} bytes"
            )
    return errors
