"""What generated code calls: small functions over plain values."""

from functools import partial
from types import MappingProxyType
from typing import Any

from re2 import error as pattern_error

from pipeline.mapping.expression.functions import EvaluationError, Function
from pipeline.mapping.expression.functions.text import written
from pipeline.records import Record

_TYPES = {
    str: "string",
    bool: "boolean",
    list: "array",
    dict: "object",
    int: "number",
    float: "number",
    type(None): "null",
}


def equal(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    return bool(left == right) and (type(left) is bool) is (type(right) is bool)


def comparable(left: Any, right: Any) -> bool:
    """Tell whether two values have an order: two numbers or two texts."""
    kind = type(left)
    if kind is str:
        return type(right) is str
    return (kind is int or kind is float) and (type(right) is int or type(right) is float)


def flattened(elements: list[Any]) -> list[Any]:
    """Return a list in which the elements of inner lists stand for them, one level deep."""
    flat: list[Any] = []
    for element in elements:
        if type(element) is list:
            flat.extend(element)
        else:
            flat.append(element)
    return flat


def all_numbers(value: Any) -> bool:
    """Tell whether a value is an array of numbers."""
    return type(value) is list and all(type(element) is int or type(element) is float for element in value)


def all_strings(value: Any) -> bool:
    """Tell whether a value is an array of strings."""
    return type(value) is list and all(type(element) is str for element in value)


def null_or_refuse(function: Function, *arguments: Any) -> None:
    """Give null for a call one of whose arguments is null; refuse any other call that came here."""
    if any(argument is None for argument in arguments):
        return
    refuse(function, *arguments)


def refuse(function: Function, *arguments: Any) -> None:
    """Say which argument has the wrong type, without showing it.

    Raises:
        EvaluationError: always.
    """
    for index, argument in enumerate(arguments):
        wanted = function.parameter(index)
        if not fits(wanted, argument):
            text = f"{function.name}() takes {_spoken(wanted)} as argument {index + 1}, not {_kind(argument)}"
            raise EvaluationError(text, "invalid-type")
    raise EvaluationError(f"{function.name}() cannot take these arguments", "invalid-type")


def fits(wanted: str, argument: Any) -> bool:
    """Tell whether a value is of one of the types divided by ``|``."""
    return wanted == "any" or any(_fits_one(kind, argument) for kind in wanted.split("|"))


def _fits_one(kind: str, argument: Any) -> bool:
    if kind == "array-number":
        return all_numbers(argument)
    if kind == "array-string":
        return all_strings(argument)
    return callable(argument) if kind == "expref" else _TYPES.get(type(argument)) == kind


_SPOKEN = {
    "array-number": "an array of numbers",
    "array-string": "an array of strings",
    "expref": "an expression (&...)",
    "array": "an array",
    "object": "an object",
}


def _spoken(wanted: str) -> str:
    return " or ".join(_SPOKEN.get(kind, f"a {kind}") for kind in wanted.split("|"))


def _kind(argument: Any) -> str:
    if argument is None:
        return "null"
    return (
        "an expression"
        if callable(argument)
        else _spoken(_TYPES.get(type(argument), "value of another type"))
    )


def looked_up(table: Any, key: Any) -> Any:
    """Return what a table has for a key that may be a number or a boolean; null if it has nothing."""
    if type(table) is not dict:
        if table is None:
            return None
        raise EvaluationError("lookup() takes an object as its table", "invalid-type")
    if type(key) in {str, int, float, bool}:
        return table.get(written(key))
    return None


def replaced(pattern: Any, text: str, new: str) -> str:
    """Replace what a pattern finds.

    Raises:
        EvaluationError: the replacement names a group that the pattern does not have.
    """
    try:
        result: str = pattern.sub(new, text)
    except (ValueError, IndexError, pattern_error):
        raise EvaluationError("replace_re() cannot use this replacement") from None
    return result


def record_facts(record: Record | None) -> dict[str, Any] | None:
    """Return what `kafka()` gives."""
    if record is None:
        return None
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": _text(record.key),
        "timestamp": record.timestamp_ms,
        "headers": {name: _text(value) for name, value in record.headers},
        "tombstone": record.value is None,
    }


def _text(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None


NAMESPACE: MappingProxyType[str, Any] = MappingProxyType(
    {
        "__builtins__": {},
        "NOTHING": MappingProxyType({}),
        **{kind.__name__: kind for kind in (bool, dict, float, int, list, str, type)},
        **{
            function.__name__: function
            for function in (
                all_numbers,
                all_strings,
                comparable,
                equal,
                flattened,
                len,
                looked_up,
                null_or_refuse,
                partial,
                record_facts,
                refuse,
                replaced,
            )
        },
    }
)
"""All the global names that generated code has beside its constants; the builtins are not among them."""
