"""Text with ``${expression}`` in it."""

from dataclasses import dataclass
from typing import Any

from pipeline.documents import Document, KeyPath, Location, Problem
from pipeline.mapping.expression import ExpressionError, Node, parse_expression


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression and where it stands."""

    text: str
    node: Node
    document: Document
    path: KeyPath
    offset: int

    def locate(self, offset: int = 0) -> Location:
        """Return where a character of the expression stands in its file."""
        return self.document.locate_inside(self.path, self.offset + offset)

    def problem(self, error: ExpressionError) -> Problem:
        """Return a problem in this expression with its place."""
        return self.document.problem(self.locate(error.offset), error.code, error.text)


@dataclass(frozen=True, slots=True)
class Template:
    """Text whose parts are written one after the other; null if an expression in it gives null."""

    parts: tuple[str | Expression, ...]


Tree = Any
"""A value of a rule: a constant, an `Expression`, a `Template`, or a dict or list of such values."""


class TemplateReader:
    """Reads the values of one document and collects the problems in them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def tree(self, path: KeyPath, value: Any) -> Tree:
        """Read a value with whatever it contains."""
        if isinstance(value, str):
            return self._text(path, value)
        if isinstance(value, dict):
            return {name: self.tree((*path, name), inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.tree((*path, index), inner) for index, inner in enumerate(value)]
        return value

    def expression(self, path: KeyPath, text: str) -> Expression | None:
        """Read a value that is an expression with or without ``${ }``, None if it has a problem."""
        stripped = text.strip()
        if stripped.startswith("${") and stripped.endswith("}"):
            start = text.index("${") + 2
            return self._parsed(path, text[start : text.rindex("}")], start)
        return self._parsed(path, text, 0)

    def _text(self, path: KeyPath, text: str) -> Tree:
        if "${" not in text:
            return text
        parts: list[str | Expression] = []
        at = 0
        while (start := text.find("${", at)) >= 0:
            if start and text[start - 1] == "$":
                parts.append(text[at : start - 1] + "${")
                at = start + 2
                continue
            end = _closing(text, start + 2)
            if end is None:
                self._report(path, start, _unclosed(self.document, path))
                return None
            parts.append(text[at:start])
            parsed = self._parsed(path, text[start + 2 : end], start + 2)
            if parsed is not None:
                parts.append(parsed)
            at = end + 1
        parts.append(text[at:])
        return _joined([part for part in parts if part != ""])

    def _parsed(self, path: KeyPath, text: str, offset: int) -> Expression | None:
        try:
            return Expression(text.strip(), parse_expression(text), self.document, path, offset)
        except ExpressionError as error:
            self._report(path, offset + error.offset, error.text, error.code)
            return None

    def _report(self, path: KeyPath, offset: int, text: str, code: str = "unclosed") -> None:
        location = self.document.locate_inside(path, offset)
        self.problems.append(self.document.problem(location, code, text))


def _joined(parts: list[str | Expression]) -> Tree:
    if len(parts) > 1 and parts[-1] == "\n":  # the end of a YAML block, which nobody means
        parts.pop()
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0]
    if all(isinstance(part, str) for part in parts):
        return "".join(part for part in parts if isinstance(part, str))
    return Template(tuple(parts))


def _closing(text: str, at: int) -> int | None:
    """Return where the brace stands that ends the expression at `at`, passing over quotes and inner braces."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character in "'\"`":
            at = _quote_end(text, at)
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    return None


def _quote_end(text: str, at: int) -> int:
    quote = text[at]
    at += 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" else 1
    return at


def _unclosed(document: Document, path: KeyPath) -> str:
    place = document.places.get(path)
    text = "'${' is never closed"
    if place is not None and place.style is None and place.line < len(document.lines):
        rest = document.lines[place.line][place.column :]
        if " #" in rest:
            return f"{text} (a ' #' in plain YAML text starts a comment: quote the value)"
    return text
