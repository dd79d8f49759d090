"""The people that a call names, read from its wire form."""

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.calls import Identity, IdentityKind


def secondary_of(payload: bytes) -> Identity | None:
    """Return the person that a merge ends."""
    return _identity(orjson.loads(payload).get("secondary"))


def attributes_of(payload: bytes) -> Mapping[str, Any]:
    """Return the attributes of an identify."""
    attributes = orjson.loads(payload).get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def email_of(attributes: Mapping[str, Any]) -> Identity | None:
    """Return the e-mail address that attributes give, None where there is none."""
    email = attributes.get("email")
    return Identity(IdentityKind.EMAIL, email) if isinstance(email, str) and email else None


def _identity(identifiers: Any) -> Identity | None:
    if not isinstance(identifiers, dict):
        return None
    for kind in IdentityKind:
        value = identifiers.get(kind.value)
        if isinstance(value, str):
            return Identity(kind, value)
    return None
