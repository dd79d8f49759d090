"""Functions over objects."""

from functools import partial
from typing import Any

from pipeline.mapping.expression.functions.registry import EvaluationError, Example, define

_define = partial(define, group="Objects")
_DEEPEST = 64


@_define(
    "keys(object) -> array",
    "The names of an object's fields.",
    Example("keys(@)", ["a", "b"], {"a": 1, "b": 2}),
    parameters=["object"],
    standard=True,
)
def _keys(value: dict[str, Any]) -> list[str]:
    return list(value)


@_define(
    "values(object) -> array",
    "The values of an object's fields.",
    Example("values(@)", [1, 2], {"a": 1, "b": 2}),
    parameters=["object"],
    standard=True,
)
def _values(value: dict[str, Any]) -> list[Any]:
    return list(value.values())


@_define(
    "items(object) -> array",
    "The fields of an object as pairs of name and value.",
    Example("items(@)", [["a", 1]], {"a": 1}),
    parameters=["object"],
)
def _items(value: dict[str, Any]) -> list[list[Any]]:
    return [[name, field] for name, field in value.items()]


@_define(
    "from_items(array) -> object",
    "The object that pairs of name and value make; the last pair of a name counts.",
    Example("from_items(@)", {"a": 1}, [["a", 1]]),
    parameters=["array"],
)
def _from_items(pairs: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for pair in pairs:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
            raise EvaluationError("from_items() takes an array of pairs of a text and a value")
        made[pair[0]] = pair[1]
    return made


@_define(
    "merge(object, ...) -> object",
    "The fields of all objects; of a name given twice the later one counts. Nulls are passed over.",
    Example("merge(a, b)", {"x": 2, "y": 1}, {"a": {"x": 1, "y": 1}, "b": {"x": 2}}),
    Example("merge(a, b)", {"x": 1}, {"a": {"x": 1}}),
    parameters=["object"],
    variadic=True,
    standard=True,
    skip_null=True,
)
def _merge(*objects: dict[str, Any] | None) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for given in objects:
        merged.update(given or {})
    return merged


@_define(
    "pick(object, names) -> object",
    "Only these fields.",
    Example("pick(@, ['a'])", {"a": 1}, {"a": 1, "b": 2}),
    parameters=["object", "array-string"],
)
def _pick(value: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value}


@_define(
    "omit(object, names) -> object",
    "All fields but these.",
    Example("omit(@, ['a'])", {"b": 2}, {"a": 1, "b": 2}),
    parameters=["object", "array-string"],
)
def _omit(value: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: field for name, field in value.items() if name not in names}


@_define(
    "flatten(object, separator) -> object",
    "The fields of inner objects as fields of the outer one, with the path as their name; '.' divides it if nothing "
    "else is given. Arrays stay as they are.",
    Example("flatten(@)", {"city": "Rome", "geo.lat": 41.9}, {"city": "Rome", "geo": {"lat": 41.9}}),
    Example("flatten(@, '_')", {"geo_lat": 41.9}, {"geo": {"lat": 41.9}}),
    parameters=["object", "string"],
    optional=1,
)
def _flatten(value: dict[str, Any], separator: str = ".") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    _flatten_into(flat, value, "", separator, 0)
    return flat


def _flatten_into(
    flat: dict[str, Any], value: dict[str, Any], prefix: str, separator: str, depth: int
) -> None:
    if depth > _DEEPEST:
        raise EvaluationError(f"flatten() takes objects at most {_DEEPEST} levels deep")
    for name, field in value.items():
        if type(field) is dict:
            _flatten_into(flat, field, f"{prefix}{name}{separator}", separator, depth + 1)
        else:
            flat[prefix + name] = field
