"""YAML text to a `Document`: the YAML 1.2 core schema, with everything refused that would surprise.

PyYAML's own constructor follows YAML 1.1 (``no`` is false, ``012`` is ten) and lets the last of two equal
keys win without a word. Only its parser is used here; the nodes it gives carry their positions.
"""

import re
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from pipeline.documents.document import Document, KeyPath, Place
from pipeline.documents.problems import DocumentError, Level, Location, Problem

_TAG = "tag:yaml.org,2002:"
_DEEPEST = 100
_MOST_NODES = 100_000
_MOST_BYTES = 8_000_000
_OLD_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n"})


class _CoreSchemaLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Resolves plain scalars as YAML 1.2 does (https://yaml.org/spec/1.2.2/#103-core-schema)."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own shape
    _depth = 0

    def descend_resolver(self, _parent: object, _index: object) -> None:
        """Count the depth: the C composer calls this at each level and would run out of stack unasked."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError(f"nested more than {_DEEPEST} levels deep")

    def ascend_resolver(self) -> None:
        """Count the depth back."""
        self._depth -= 1


for _kind, _pattern, _first in (
    ("null", r"(?:null|Null|NULL|~|)$", ["n", "N", "~", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
):
    _CoreSchemaLoader.add_implicit_resolver(_TAG + _kind, re.compile(_pattern), _first)


def read_document(path: Path) -> Document:
    """Read and parse a YAML file.

    Raises:
        DocumentError: the file cannot be read, is not UTF-8, or is not a document this program takes.
    """
    try:
        raw = path.read_bytes()
        if len(raw) > _MOST_BYTES:
            raise _refused(str(path), "too-big", f"the file is larger than {_MOST_BYTES} bytes")
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise _refused(str(path), "unreadable", f"cannot read the file: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise _refused(str(path), "unreadable", f"not UTF-8 at byte {error.start}") from None
    return parse_document(text, str(path))


def parse_document(text: str, path: str | Path) -> Document:
    """Parse one YAML document; JSON is YAML too.

    Raises:
        DocumentError: bad syntax, a repeated key, a key that is no plain text, an unknown tag, an alias that
            contains itself or expands beyond measure. All problems that can be found at once are in it.
    """
    file, lines = str(path), text.splitlines()
    try:
        node = yaml.compose(text, Loader=_CoreSchemaLoader)
    except yaml.MarkedYAMLError as error:
        raise DocumentError([_syntax_problem(file, lines, error)]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise _refused(file, "yaml-syntax", f"not YAML: {str(error).splitlines()[0]}") from None
    builder = _Builder(file, lines)
    data = None if node is None else builder.build(node)
    if any(problem.level is Level.ERROR for problem in builder.problems):
        raise DocumentError(builder.problems)
    return Document(file, data, lines, MappingProxyType(builder.places), tuple(builder.problems))


def _refused(file: str, code: str, text: str) -> DocumentError:
    return DocumentError([Problem(Location(file), Level.ERROR, code, text)])


def _syntax_problem(file: str, lines: list[str], error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    text = " ".join(part for part in (error.context, error.problem) if part) or "not YAML"
    source = lines[line] if line < len(lines) else None
    if source is not None and "mapping values are not allowed" in text:
        text += " (a ': ' inside plain text must be quoted)"
    if source is not None and source[max(0, column - 1) : column + 1] == "${":
        text = "${ } inside { } or [ ] ends the value for YAML: quote the value, '${...}'"
    return Problem(Location(file, line + 1, column + 1), Level.ERROR, "yaml-syntax", text, source)


class _Builder:
    """Turns nodes into data, collecting positions and problems."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self.places: dict[KeyPath, Place] = {}
        self.problems: list[Problem] = []
        self._file, self._lines = file, lines
        self._left = _MOST_NODES
        self._open: set[int] = set()

    def build(self, node: yaml.Node) -> Any:
        return self._value(node, (), node)

    def _value(self, node: yaml.Node, path: KeyPath, key: yaml.Node) -> Any:
        self._left -= 1
        if self._left < 0:
            raise DocumentError(
                [self._problem(node, "alias", f"more than {_MOST_NODES} values: an alias expands too far")]
            )
        at, start = key.start_mark, node.start_mark
        style = node.style or None if isinstance(node, yaml.ScalarNode) else None
        self.places[path] = Place(at.line, at.column, start.line, start.column, style)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            self._report(node, "alias", "an alias may not contain itself")
            return None
        self._open.add(id(node))
        try:
            return self._collection(node, path)
        finally:
            self._open.discard(id(node))

    def _collection(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self._value(item, (*path, index), item) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        return self._unknown_tag(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key is None:
                continue
            if key in first:
                self._report(key_node, "duplicate-key", f"duplicate key '{key}' (first on line {first[key]})")
                continue
            first[key] = key_node.start_mark.line + 1
            fields[key] = self._value(value_node, (*path, key), key_node)
        return fields

    def _key(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._report(
                node, "bad-key", "a key must be plain text ({{ }} starts a nested YAML map: quote it)"
            )
            return None
        if not node.style and node.value == "<<":
            self._report(node, "bad-key", "'<<' merges maps in YAML 1.1 only: write the keys out")
            return None
        if node.tag.startswith("!"):
            self._unknown_tag(node)
            return None
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            if not node.style and text.lower() in _OLD_BOOLEANS:
                self._report(
                    node,
                    "yaml-1.1",
                    f"'{text}' is text in YAML 1.2: quote it, or write true or false",
                    Level.WARNING,
                )
            return text
        try:
            value = _CONSTRUCTORS[kind](text)
        except KeyError:
            return self._unknown_tag(node)
        except ValueError:
            self._report(node, "bad-value", f"this text is no {kind}")
            return None
        if isinstance(value, float) and not isfinite(value):
            self._report(node, "bad-value", "JSON has no such number")
        return value

    def _unknown_tag(self, node: yaml.Node) -> None:
        tag = node.tag.replace(_TAG, "!!")
        self._report(node, "unknown-tag", f"unknown tag '{tag}' (text that starts with '!' must be quoted)")

    def _report(self, node: yaml.Node, code: str, text: str, level: Level = Level.ERROR) -> None:
        self.problems.append(self._problem(node, code, text, level))

    def _problem(self, node: yaml.Node, code: str, text: str, level: Level = Level.ERROR) -> Problem:
        line, column = node.start_mark.line, node.start_mark.column
        source = self._lines[line] if line < len(self._lines) else None
        return Problem(Location(self._file, line + 1, column + 1), level, code, text, source)


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


def _float(text: str) -> float:
    if text.lstrip("+-").lower() in {".inf", ".nan"}:
        return float(text.replace(".", ""))
    return float(text)


_CONSTRUCTORS = MappingProxyType(
    {"null": lambda _text: None, "bool": _boolean, "int": _integer, "float": _float}
)
