"""Which attribute values JSON and Customer.io can carry."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any


def utf8_length(text: str) -> int:
    """Return the length of `text` in UTF-8; half a surrogate pair counts, and the encoder refuses it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def values_problem(
    values: Mapping[str, Any], place: str, max_name: int, max_text: int | None
) -> tuple[str, str] | None:
    """Return what is wrong with attributes, and the field, or None.

    Lengths are in bytes of UTF-8; with `max_text` None a text may have any length. The sentence holds no
    value.
    """
    for name, value in values.items():
        if not isinstance(name, str) or not name:
            return f"a name in {place} is not a text or is empty", place
        if len(name) * 4 > max_name and utf8_length(name) > max_name:
            return f"a name in {place} has {utf8_length(name)} bytes, at most {max_name} are allowed", place
        kind = type(value)
        if kind is int or kind is bool or value is None:
            continue
        problem = _text_problem(value, max_text) if kind is str else _nested_problem(value)
        if problem is not None:
            return f"{place}.{name} {problem}", f"{place}.{name}"
    return None


def _text_problem(text: str, max_text: int | None) -> str | None:
    if max_text is None or len(text) * 4 <= max_text:
        return None
    length = utf8_length(text)
    return None if length <= max_text else f"has {length} bytes, at most {max_text} are allowed"


def _nested_problem(value: object) -> str | None:
    """Find what JSON has no sign for, however deep: iterative, because the depth is the sender's choice."""
    if isinstance(value, float):
        return None if isfinite(value) else "is not a finite number"
    stack: list[object] = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, float):
            if not isfinite(part):
                return "is not a finite number"
        elif isinstance(part, Mapping):
            stack.extend(part.values())
        elif isinstance(part, Sequence) and not isinstance(part, str | bytes):
            stack.extend(part)
        elif not (part is None or isinstance(part, str | int)):
            return f"is a {type(part).__name__}, which JSON cannot carry"
    return None
