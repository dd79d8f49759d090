"""Functions that turn one type into another."""

import json
import re
from functools import partial
from math import isfinite
from typing import Any

from pipeline.mapping.expression.functions.registry import EvaluationError, Example, define

_define = partial(define, group="Values")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_TYPES = {str: "string", bool: "boolean", list: "array", dict: "object", int: "number", float: "number"}
_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
"""Half of a character as JSON escapes it: alone, as where a text was cut, nothing can be written of it."""
_YES = frozenset({"true", "yes", "y", "on", "1", "t"})
_NO = frozenset({"false", "no", "n", "off", "0", "f", ""})


@_define(
    "type(value) -> text",
    "The type of a value: string, number, boolean, array, object or null.",
    Example("type(@)", "array", []),
    Example("type(nothing)", "null", {}),
    parameters=["any"],
    accept_null=True,
    standard=True,
)
def _type(value: Any) -> str:
    return _TYPES.get(type(value), "null")


@_define(
    "to_array(value) -> array",
    "An array as it is, anything else as the one element of an array.",
    Example("to_array('a')", ["a"]),
    parameters=["any"],
    accept_null=True,
    standard=True,
)
def _to_array(value: Any) -> list[Any]:
    return value if type(value) is list else [value]


@_define(
    "to_string(value) -> text",
    "A text as it is, anything else as JSON.",
    Example("to_string(5)", "5"),
    Example("to_string(@)", '{"a":[1]}', {"a": [1]}),
    parameters=["any"],
    accept_null=True,
    standard=True,
)
def to_string(value: Any) -> str:
    """Return a text as it is, anything else as JSON."""
    return value if type(value) is str else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@_define(
    "to_number(value) -> number",
    "A number as it is, a text that is a JSON number as that number, otherwise null.",
    Example("to_number('12.5')", 12.5),
    Example("to_number('twelve')", None),
    parameters=["any"],
    standard=True,
    accept_null=True,
)
def to_number(value: Any) -> float | None:
    """Return the number that a value is or that a text says, else None."""
    if type(value) is int or type(value) is float:
        return value
    match = _NUMBER.fullmatch(value) if type(value) is str and len(value) < 400 else None
    if match is None:
        return None
    if match[1] is None and match[2] is None:
        return int(value)
    number = float(value)
    return number if isfinite(number) else None


@_define(
    "to_bool(value) -> boolean",
    "true for true, 1 and the texts true, yes, y, on, t, 1 in any case; false for false, 0, the empty text and the "
    "texts false, no, n, off, f, 0; null for anything else.",
    Example("to_bool('Yes')", True),
    Example("to_bool(0)", False),
    Example("to_bool('perhaps')", None),
    parameters=["any"],
)
def _to_bool(value: Any) -> bool | None:
    if type(value) is bool:
        return value
    if type(value) is str:
        word = value.strip().lower()
        return True if word in _YES else False if word in _NO else None
    if type(value) not in {int, float}:
        return None
    return value == 1 if value in {0, 1} else None


@_define(
    "json_decode(text) -> value",
    "What a text of JSON says.",
    Example("json_decode(payload).a", 1, {"payload": '{"a": 1}'}),
    parameters=["string"],
)
def _json_decode(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        if _HALF_A_PAIR.search(text):
            _json_encode(value).encode()
    except UnicodeEncodeError:
        raise EvaluationError("json_decode(): the text holds half a surrogate pair") from None
    except (ValueError, RecursionError):
        raise EvaluationError("json_decode() takes a text of JSON") from None
    return value


@_define(
    "json_encode(value) -> text",
    "A value as JSON; a text gets its quotes.",
    Example("json_encode('a')", '"a"'),
    parameters=["any"],
)
def _json_encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
