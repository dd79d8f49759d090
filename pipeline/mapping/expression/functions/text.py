"""Functions over texts. Patterns are RE2's, which take time in proportion to the text whatever it is."""

import re
from functools import partial
from typing import Any

from pipeline.mapping.expression.functions.registry import EvaluationError, Example, define

_define = partial(define, group="Text")
_LONGEST = 1_000_000
_WORD_EDGES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


@_define(
    "starts_with(text, start) -> boolean",
    "Whether a text starts so.",
    Example("starts_with('internal:x', 'internal:')", True),
    parameters=["string", "string"],
    inline="{0}.startswith({1})",
    standard=True,
)
def _starts_with(text: str, start: str) -> bool:
    return text.startswith(start)


@_define(
    "ends_with(text, end) -> boolean",
    "Whether a text ends so.",
    Example("ends_with('a.png', '.png')", True),
    parameters=["string", "string"],
    inline="{0}.endswith({1})",
    standard=True,
)
def _ends_with(text: str, end: str) -> bool:
    return text.endswith(end)


@_define(
    "lower(text) -> text",
    "In lower case.",
    Example("lower('Ada@X.io')", "ada@x.io"),
    parameters=["string"],
    inline="{0}.lower()",
)
def _lower(text: str) -> str:
    return text.lower()


@_define(
    "upper(text) -> text",
    "In upper case.",
    Example("upper('gbp')", "GBP"),
    parameters=["string"],
    inline="{0}.upper()",
)
def _upper(text: str) -> str:
    return text.upper()


@_define(
    "title(text) -> text",
    "Each word with a capital.",
    Example("title('ada lovelace')", "Ada Lovelace"),
    parameters=["string"],
)
def _title(text: str) -> str:
    return " ".join(word[:1].upper() + word[1:].lower() for word in text.split(" "))


@_define(
    "snake_case(text) -> text",
    "Words in lower case with _ between them.",
    Example("snake_case('Product Added')", "product_added"),
    Example("snake_case('orderID')", "order_id"),
    parameters=["string"],
)
def _snake_case(text: str) -> str:
    return _WORD_EDGES.sub("_", text).strip("_").lower()


@_define(
    "trim(text, characters) -> text",
    "Without white space, or without these characters, at both ends.",
    Example("trim(' a ')", "a"),
    Example("trim('--a-', '-')", "a"),
    parameters=["string", "string"],
    optional=1,
)
def _trim(text: str, characters: str | None = None) -> str:
    return text.strip(characters)


@_define(
    "split(text, separator) -> array",
    "The parts of a text between separators.",
    Example("split('ada@x.io', '@')[1]", "x.io"),
    parameters=["string", "string"],
)
def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


@_define(
    "replace(text, old, new) -> text",
    "With every occurrence of one text replaced by another.",
    Example("replace('a-b-c', '-', '.')", "a.b.c"),
    parameters=["string", "string", "string"],
)
def _replace(text: str, old: str, new: str) -> str:
    if len(text) * max(len(new), 1) > _LONGEST * 10:
        raise EvaluationError("the result of replace() would be too long")
    return text.replace(old, new)


@_define(
    "concat(text, ...) -> text",
    "Texts one after the other; numbers and booleans are written as JSON writes them.",
    Example("concat('order-', 7)", "order-7"),
    parameters=["string|number|boolean"],
    variadic=True,
)
def _concat(*parts: Any) -> str:
    return "".join(written(part) for part in parts)


@_define(
    "pad_left(text, width, fill) -> text",
    "Filled at the start, with spaces or another character, until it has this width.",
    Example("pad_left('7', 3, '0')", "007"),
    parameters=["string", "number", "string"],
    optional=1,
)
def _pad_left(text: str, width: float, fill: str = " ") -> str:
    return text.rjust(*_padding(width, fill))


@_define(
    "pad_right(text, width, fill) -> text",
    "Filled at the end, with spaces or another character, until it has this width.",
    Example("pad_right('7', 3, '-')", "7--"),
    parameters=["string", "number", "string"],
    optional=1,
)
def _pad_right(text: str, width: float, fill: str = " ") -> str:
    return text.ljust(*_padding(width, fill))


@_define(
    "find_first(text, part) -> number",
    "Where a part first stands, counted from 0; null if it does not.",
    Example("find_first('abcb', 'b')", 1),
    Example("find_first('abc', 'x')", None),
    parameters=["string", "string"],
)
def _find_first(text: str, part: str) -> int | None:
    at = text.find(part)
    return None if at < 0 or not part else at


@_define(
    "find_last(text, part) -> number",
    "Where a part last stands, counted from 0; null if it does not.",
    Example("find_last('abcb', 'b')", 3),
    parameters=["string", "string"],
)
def _find_last(text: str, part: str) -> int | None:
    at = text.rfind(part)
    return None if at < 0 or not part else at


@_define(
    "truncate(text, length) -> text",
    "At most so many characters of a text.",
    Example("truncate('abcdef', 3)", "abc"),
    parameters=["string", "number"],
)
def _truncate(text: str, length: float) -> str:
    if length < 0 or length != int(length):
        raise EvaluationError("truncate() takes a whole length that is not negative")
    return text[: int(length)]


def written(value: Any) -> str:
    """Return a value as it reads inside a text: as JSON writes it, a text without quotes."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    return repr(value)


def _padding(width: float, fill: str) -> tuple[int, str]:
    if width != int(width) or not 0 <= width <= _LONGEST or len(fill) != 1:
        raise EvaluationError(f"padding takes a whole width up to {_LONGEST} and one character")
    return int(width), fill
