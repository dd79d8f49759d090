"""Which attribute values JSON and Customer.io can carry."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

_PLAIN = frozenset({int, bool, type(None)})
_WIDEST = 4
"""The most bytes that one character takes in UTF-8."""


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
    surely_short = max_name // _WIDEST
    for name, value in values.items():
        if type(name) is not str or not 0 < len(name) <= surely_short:
            problem = _name_problem(name, max_name)
            if problem is not None:
                return f"a name in {place} {problem}", place
        kind = type(value)
        if kind is str:
            problem = None if max_text is None else _text_problem(value, max_text)
        else:
            problem = None if kind in _PLAIN else _nested_problem(value)
        if problem is not None:
            return f"{place}.{name} {problem}", f"{place}.{name}"
    return None


def _name_problem(name: object, max_name: int) -> str | None:
    if not isinstance(name, str) or not name:
        return "is not a text or is empty"
    length = utf8_length(name)
    return None if length <= max_name else f"has {length} bytes, at most {max_name} are allowed"


def _text_problem(text: str, max_text: int) -> str | None:
    if len(text) * _WIDEST <= max_text:
        return None
    length = utf8_length(text)
    return None if length <= max_text else f"has {length} bytes, at most {max_text} are allowed"


def _nested_problem(value: object) -> str | None:
    """Find what JSON has no sign for, however deep: iterative, because the depth is the sender's choice."""
    if type(value) is float and isfinite(value):
        return None
    stack: list[object] = [value]
    while stack:
        part = stack.pop()
        kind = type(part)
        if kind in _PLAIN or kind is str:
            continue
        if isinstance(part, list):  # what JSON gives, before what any other caller may
            stack.extend(part)
        elif isinstance(part, dict):
            stack.extend(part.values())
        elif isinstance(part, float):
            if not isfinite(part):
                return "is not a finite number"
        elif isinstance(part, Mapping):
            stack.extend(part.values())
        elif isinstance(part, Sequence) and not isinstance(part, str | bytes):
            stack.extend(part)
        elif not (part is None or isinstance(part, str | int)):
            return f"is a {type(part).__name__}, which JSON cannot carry"
    return None
