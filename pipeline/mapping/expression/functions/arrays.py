"""Functions over arrays."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.mapping.expression.functions.registry import EvaluationError, Example, define

_define = partial(define, group="Arrays")
_ORDERED = {int: "number", float: "number", str: "string"}
Key = Callable[[Any], Any]


@_define(
    "avg(array) -> number",
    "The mean of an array of numbers; null for an empty one.",
    Example("avg(@)", 2.0, [1, 2, 3]),
    parameters=["array-number"],
    standard=True,
)
def _avg(numbers: list[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


@_define(
    "contains(array_or_text, value) -> boolean",
    "Whether an array has this element, or a text this part.",
    Example("contains(tags, 'new')", True, {"tags": ["new", "vip"]}),
    Example("contains('signed_up', 'sign')", True),
    parameters=["array|string", "any"],
    standard=True,
)
def _contains(subject: Any, wanted: Any) -> bool:
    return wanted in subject if type(subject) is list or type(wanted) is str else False


@_define(
    "join(glue, array) -> text",
    "The texts of an array in one text, with glue between them.",
    Example("join(', ', @)", "a, b", ["a", "b"]),
    parameters=["string", "array-string"],
    standard=True,
)
def _join(glue: str, texts: list[str]) -> str:
    return glue.join(texts)


@_define(
    "length(value) -> number",
    "How many characters a text has, elements an array, or fields an object.",
    Example("length(items)", 2, {"items": [1, 2]}),
    parameters=["string|array|object"],
    standard=True,
)
def _length(value: Any) -> int:
    return len(value)


@_define(
    "map(&expression, array) -> array",
    "What the expression gives for each element; nulls are kept.",
    Example("map(&sku, @)", ["A", None], [{"sku": "A"}, {}]),
    parameters=["expref", "array"],
    standard=True,
)
def _map(key: Key, elements: list[Any]) -> list[Any]:
    return [key(element) for element in elements]


@_define(
    "max(array) -> value",
    "The largest of numbers or texts; null for an empty array.",
    Example("max(@)", 3, [1, 3, 2]),
    parameters=["array-number|array-string"],
    standard=True,
)
def _max(elements: list[Any]) -> Any:
    return max(elements, default=None)


@_define(
    "max_by(array, &expression) -> value",
    "The element for which the expression gives the largest number or text.",
    Example("max_by(@, &qty).sku", "B", [{"sku": "A", "qty": 1}, {"sku": "B", "qty": 2}]),
    parameters=["array", "expref"],
    standard=True,
)
def _max_by(elements: list[Any], key: Key) -> Any:
    return max(elements, key=_checked(key, "max_by"), default=None)


@_define(
    "min(array) -> value",
    "The smallest of numbers or texts; null for an empty array.",
    Example("min(@)", 1, [1, 3, 2]),
    parameters=["array-number|array-string"],
    standard=True,
)
def _min(elements: list[Any]) -> Any:
    return min(elements, default=None)


@_define(
    "min_by(array, &expression) -> value",
    "The element for which the expression gives the smallest number or text.",
    Example("min_by(@, &qty).sku", "A", [{"sku": "A", "qty": 1}, {"sku": "B", "qty": 2}]),
    parameters=["array", "expref"],
    standard=True,
)
def _min_by(elements: list[Any], key: Key) -> Any:
    return min(elements, key=_checked(key, "min_by"), default=None)


@_define(
    "reverse(array_or_text) -> array or text",
    "The elements or characters from the last to the first.",
    Example("reverse(@)", [2, 1], [1, 2]),
    parameters=["array|string"],
    standard=True,
)
def _reverse(value: Any) -> Any:
    return value[::-1]


@_define(
    "sort(array) -> array",
    "Numbers or texts in order.",
    Example("sort(@)", [1, 2, 3], [2, 3, 1]),
    parameters=["array-number|array-string"],
    standard=True,
)
def _sort(elements: list[Any]) -> list[Any]:
    return sorted(elements)


@_define(
    "sort_by(array, &expression) -> array",
    "The elements in the order of what the expression gives for each.",
    Example("sort_by(@, &n)[].n", [1, 2], [{"n": 2}, {"n": 1}]),
    parameters=["array", "expref"],
    standard=True,
)
def _sort_by(elements: list[Any], key: Key) -> list[Any]:
    return sorted(elements, key=_checked(key, "sort_by"))


@_define(
    "sum(array) -> number",
    "The sum of an array of numbers.",
    Example("sum(items[].qty)", 3, {"items": [{"qty": 1}, {"qty": 2}]}),
    parameters=["array-number"],
    standard=True,
)
def _sum(numbers: list[float]) -> float:
    return sum(numbers)


@_define(
    "find_all(array, &expression) -> array",
    "The elements for which the expression gives neither false, null nor something empty.",
    Example("find_all(@, &paid)", [{"paid": True}], [{"paid": True}, {"paid": False}]),
    parameters=["array", "expref"],
)
def _find_all(elements: list[Any], key: Key) -> list[Any]:
    return [element for element in elements if _true(key(element))]


@_define(
    "group_by(array, &expression) -> object",
    "The elements by the text that the expression gives for each; elements without one are left out.",
    Example("group_by(@, &k)", {"a": [{"k": "a"}]}, [{"k": "a"}, {}]),
    parameters=["array", "expref"],
)
def _group_by(elements: list[Any], key: Key) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for element in elements:
        name = key(element)
        if name is None:
            continue
        if type(name) is not str:
            raise EvaluationError("group_by() needs an expression that gives texts", "invalid-type")
        groups.setdefault(name, []).append(element)
    return groups


@_define(
    "unique(array) -> array",
    "The elements without repetitions, in the order of their first appearance.",
    Example("unique(@)", ["a", "b"], ["a", "b", "a"]),
    parameters=["array"],
)
def _unique(elements: list[Any]) -> list[Any]:
    kept: list[Any] = []
    simple: set[tuple[type, Any]] = set()
    for element in elements:
        if type(element) in {str, int, float, bool}:
            mark = (bool if type(element) is bool else str if type(element) is str else float, element)
            if mark in simple:
                continue
            simple.add(mark)
        elif element in kept:
            continue
        kept.append(element)
    return kept


@_define(
    "zip(array, ...) -> array",
    "The first elements of each array together, then the second ones, as far as the shortest array goes.",
    Example("zip(a, b)", [[1, "x"]], {"a": [1, 2], "b": ["x"]}),
    parameters=["array"],
    variadic=True,
)
def _zip(*arrays: list[Any]) -> list[list[Any]]:
    return [list(together) for together in zip(*arrays, strict=False)]


def _true(value: Any) -> bool:
    return bool(value) or (value == 0 and value is not False)


def _checked(key: Key, name: str) -> Key:
    """Return a key that gives only numbers or only texts."""
    kinds: set[str] = set()

    def checked(element: Any) -> Any:
        result = key(element)
        kinds.add(_ORDERED.get(type(result), "other"))
        if "other" in kinds or len(kinds) > 1:
            text = f"{name}() needs an expression that gives only numbers or only texts"
            raise EvaluationError(text, "invalid-type")
        return result

    return checked
