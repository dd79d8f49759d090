"""How Customer.io reads what can be written in more than one way: times and subscription preferences."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

_PREFERENCES = "cio_subscription_preferences"
_TOPIC = f"{_PREFERENCES}.topics."


def unix_time(value: object) -> float | None:
    """Return a timestamp that Customer.io would take; anything else becomes the time of receipt."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def with_subscriptions(attributes: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Join subscription preferences, which come as an object or as one literal dotted key a topic."""
    plain = {name: value for name, value in changes.items() if not name.startswith(_PREFERENCES)}
    given = changes.get(_PREFERENCES)
    topics = dict(given.get("topics") or {}) if isinstance(given, dict) else {}
    topics |= {name.removeprefix(_TOPIC): value for name, value in changes.items() if name.startswith(_TOPIC)}
    if topics:
        before = attributes.get(_PREFERENCES, {}).get("topics", {})
        plain[_PREFERENCES] = {"topics": {**before, **topics}}
    return plain
