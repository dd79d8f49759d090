"""What Customer.io refuses at the door: the problems of one v2 operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.customerio.limits import (
    DEVICE_PLATFORMS,
    MAX_ATTRIBUTE_NAME_BYTES,
    MAX_ATTRIBUTE_VALUE_BYTES,
    MAX_ATTRIBUTES,
    MAX_EVENT_NAME_BYTES,
    MAX_IDENTIFIER_BYTES,
)
from pipeline.customerio.values import utf8_length


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an operation is refused, in the words of the v2 API."""

    reason: str
    field: str
    message: str

    def document(self) -> dict[str, str]:
        """Return the problem as the API writes it."""
        return {"reason": self.reason, "field": self.field, "message": self.message}


def validate(operation: object) -> Problem | None:
    """Return the first problem of an operation, or None when it is accepted."""
    if not isinstance(operation, dict):
        return Problem("invalid", "", "must be an object")
    kind = operation.get("type")
    rules = _RULES.get(kind) if isinstance(kind, str) else None
    if rules is None:
        return _choice(operation, "type", tuple(_RULES))
    action = operation.get("action")
    if not isinstance(action, str) or action not in rules:
        return _choice(operation, "action", tuple(rules))
    for rule in rules[action]:
        problem = rule(operation)
        if problem is not None:
            return problem
    return None


def _choice(operation: Mapping[str, Any], field: str, names: tuple[str, ...]) -> Problem:
    if operation.get(field) is None:
        return Problem("required", field, f"{field} is required")
    return Problem("invalid", field, f"must be one of {', '.join(names)}")


def _identifiers(
    kinds: frozenset[str], field: str = "identifiers"
) -> Callable[[Mapping[str, Any]], Problem | None]:
    def check(operation: Mapping[str, Any]) -> Problem | None:
        return identifiers_problem(operation.get(field), kinds, field)

    return check


def identifiers_problem(named: object, kinds: frozenset[str], field: str) -> Problem | None:
    """Return what is wrong with an object that must name exactly one person."""
    if named is None:
        return Problem("required", field, f"{field} is required")
    if not isinstance(named, dict) or len(named) != 1:
        return Problem("invalid", field, f"must have exactly one of {', '.join(sorted(kinds))}")
    ((kind, value),) = named.items()
    if kind not in kinds:
        return Problem("invalid", f"{field}.{kind}", f"must have exactly one of {', '.join(sorted(kinds))}")
    return _identifier_problem(value, f"{field}.{kind}")


def _identifier_problem(value: object, field: str) -> Problem | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return Problem("invalid", field, "must be a string or a number")
    if isinstance(value, str):
        if not value.strip():
            return Problem("required", field, "cannot be blank")
        if utf8_length(value) > MAX_IDENTIFIER_BYTES:
            return Problem("invalid", field, f"cannot be longer than {MAX_IDENTIFIER_BYTES} bytes")
    return None


def _object_identifiers(operation: Mapping[str, Any]) -> Problem | None:
    return _object_problem(operation.get("identifiers"), "identifiers")


def _object_problem(named: object, field: str) -> Problem | None:
    if not isinstance(named, dict) or set(named) not in ({"object_type_id", "object_id"}, {"cio_object_id"}):
        return Problem("invalid", field, "must have object_type_id and object_id, or cio_object_id")
    for kind, value in named.items():
        problem = _identifier_problem(value, f"{field}.{kind}")
        if problem is not None:
            return problem
    return None


def _name(operation: Mapping[str, Any]) -> Problem | None:
    name = operation.get("name")
    if name is None or (isinstance(name, str) and not name.strip()):
        return Problem("required", "name", "event name must not be blank")
    if not isinstance(name, str):
        return Problem("invalid", "name", "must be a string")
    if len(name) * 4 > MAX_EVENT_NAME_BYTES and utf8_length(name.strip()) > MAX_EVENT_NAME_BYTES:
        return Problem("invalid", "name", f"event name cannot be longer than {MAX_EVENT_NAME_BYTES} bytes")
    return None


def _data(operation: Mapping[str, Any]) -> Problem | None:
    attributes = operation.get("attributes")
    if attributes is None or isinstance(attributes, dict):
        return None
    return Problem("invalid", "attributes", "must be an object")


def _attributes(operation: Mapping[str, Any]) -> Problem | None:
    attributes = operation.get("attributes")
    if attributes is None:
        return None
    if not isinstance(attributes, dict):
        return Problem("invalid", "attributes", "must be an object")
    if len(attributes) > MAX_ATTRIBUTES:
        text = f"cannot identify more than {MAX_ATTRIBUTES} attributes in one request"
        return Problem("invalid", "attributes", text)
    for name, value in attributes.items():
        if len(name) * 4 > MAX_ATTRIBUTE_NAME_BYTES and utf8_length(name) > MAX_ATTRIBUTE_NAME_BYTES:
            text = f"attribute name cannot be longer than {MAX_ATTRIBUTE_NAME_BYTES} bytes"
            return Problem("invalid", "attributes", text)
        if type(value) is str and len(value) * 4 > MAX_ATTRIBUTE_VALUE_BYTES < utf8_length(value):
            text = f"property value cannot be longer than {MAX_ATTRIBUTE_VALUE_BYTES} bytes"
            return Problem("invalid", f"attributes.{name}", text)
    return _own_id(operation, attributes)


def _own_id(operation: Mapping[str, Any], attributes: Mapping[str, Any]) -> Problem | None:
    named = operation["identifiers"].get("id")
    if "id" not in attributes or named is None or str(attributes["id"]) == str(named):
        return None
    return Problem("invalid", "attributes.id", "id attribute and identifier are not the same value")


def _device(operation: Mapping[str, Any]) -> Problem | None:
    problem = _device_token(operation)
    if problem is None and operation["device"].get("platform") not in DEVICE_PLATFORMS:
        return Problem("invalid", "device.platform", "must be one of android, ios")
    return problem


def _device_token(operation: Mapping[str, Any]) -> Problem | None:
    device = operation.get("device")
    if not isinstance(device, dict):
        return Problem("required", "device", "device is required")
    token = device.get("token")
    if not isinstance(token, str) or not token.strip():
        return Problem("required", "device.token", "token is required")
    return None


def _relationships(operation: Mapping[str, Any]) -> Problem | None:
    relationships = operation.get("cio_relationships")
    if not isinstance(relationships, list):
        return Problem("required", "cio_relationships", "must be an array")
    for index, relationship in enumerate(relationships):
        field = f"cio_relationships[{index}].identifiers"
        named = relationship.get("identifiers") if isinstance(relationship, dict) else None
        if operation["type"] == "object":
            problem = identifiers_problem(named, _MERGE, field)
        else:
            problem = _object_problem(named, field)
        if problem is not None:
            return problem
    return None


def _maybe_relationships(operation: Mapping[str, Any]) -> Problem | None:
    return None if operation.get("cio_relationships") is None else _relationships(operation)


_MERGE = frozenset({"id", "email", "cio_id"})
_PERSON = _identifiers(_MERGE | {"phone"})
_EVENT = (_identifiers(_MERGE | {"phone", "anonymous_id"}), _name, _data)

Rules = Mapping[str, tuple[Callable[[Mapping[str, Any]], Problem | None], ...]]

_RULES: Mapping[str, Rules] = {
    "person": {
        "identify": (_PERSON, _attributes, _maybe_relationships),
        "delete": (_PERSON,),
        "event": _EVENT,
        "page": _EVENT,
        "screen": _EVENT,
        "add_device": (_PERSON, _device),
        "delete_device": (_PERSON, _device_token),
        "suppress": (_PERSON,),
        "unsuppress": (_PERSON,),
        "merge": (_identifiers(_MERGE, "primary"), _identifiers(_MERGE, "secondary")),
        "add_relationships": (_PERSON, _relationships),
        "delete_relationships": (_PERSON, _relationships),
    },
    "object": {
        "identify": (_object_identifiers, _data, _maybe_relationships),
        "identify_anonymous": (_object_identifiers, _data, _maybe_relationships),
        "delete": (_object_identifiers,),
        "add_relationships": (_object_identifiers, _relationships),
        "delete_relationships": (_object_identifiers, _relationships),
    },
    "delivery": {"event": (_identifiers(frozenset({"id"})), _name, _data)},
}
