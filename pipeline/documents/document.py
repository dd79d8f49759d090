"""A parsed YAML document that remembers where each of its keys and values stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.documents.problems import Level, Location, Problem

_OPENING = {None: 0, "'": 1, '"': 1}  # how many characters of quoting come before a value

KeyPath = tuple[str | int, ...]
"""The keys and indexes that lead from the root of a document to a value."""


class Place(NamedTuple):
    """Where a value stands in the text; lines and columns count from 0, as YAML's marks do.

    `style` is the value's quoting: None for plain text, otherwise one of ``' " | >``.
    """

    key_line: int
    key_column: int
    line: int
    column: int
    style: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """Data with positions.

    `warnings` are the problems that do not keep the data from being used.
    """

    file: str
    data: Any
    lines: Sequence[str] = ()
    places: Mapping[KeyPath, Place] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[Problem, ...] = ()
    overrides: Mapping[KeyPath, Location] = field(default_factory=lambda: MappingProxyType({}))

    def locate(self, path: Sequence[str | int], *, key: bool = False) -> Location:
        """Return where the value at `path` stands, or its key; for an unknown path, its nearest parent."""
        known = self.nearest(path)
        if known in self.overrides:
            return self.overrides[known]
        place = self.places.get(known)
        if place is None:
            return Location(self.file, 1, 1)
        if key:
            return Location(self.file, place.key_line + 1, place.key_column + 1)
        return Location(self.file, place.line + 1, place.column + 1)

    def locate_inside(self, path: Sequence[str | int], offset: int) -> Location:
        """Return where the character at `offset` of a text value stands, or where the value starts."""
        place = self.places.get(tuple(path))
        value = self.value(path)
        if place is None or not isinstance(value, str) or tuple(path) in self.overrides:
            return self.locate(path)
        row = value.count("\n", 0, offset)
        within = offset - (value.rfind("\n", 0, offset) + 1)
        text = value.split("\n")[row]
        line, column = place.line, place.column + _OPENING.get(place.style, 0)
        if place.style == "|":
            line += 1 + row
            column = len(self.lines[line]) - len(text) if line < len(self.lines) else 0
        elif row:
            return self.locate(path)
        if line < len(self.lines) and column >= 0 and self.lines[line].startswith(text, column):
            return Location(self.file, line + 1, column + within + 1)
        return self.locate(path)

    def problem(self, location: Location, code: str, text: str, level: Level = Level.ERROR) -> Problem:
        """Return a problem of this document that shows the line of text it is in."""
        shown = location.file == self.file and 0 < location.line <= len(self.lines)
        return Problem(location, level, code, text, self.lines[location.line - 1] if shown else None)

    def nearest(self, path: Sequence[str | int]) -> KeyPath:
        """Return the longest path that exists here, leaving out parts of `path` that name nothing."""
        known: KeyPath = ()
        for part in path:
            if (*known, part) in self.places or (*known, part) in self.overrides:
                known = (*known, part)
        return known

    def value(self, path: Sequence[str | int]) -> Any:
        """Return the value at `path`, None if there is none."""
        value = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def overlaid(self, path: KeyPath, value: Any, location: Location) -> "Document":
        """Return this document with one value set from elsewhere, an environment variable for instance."""
        overrides = {
            **self.overrides,
            **{path[:end]: location for end in range(1, len(path) + 1) if path[:end] not in self.places},
        }
        overrides[path] = location
        return replace(self, data=_with_value(self.data, path, value), overrides=MappingProxyType(overrides))


def _with_value(data: Any, path: KeyPath, value: Any) -> Any:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(head, int) and isinstance(data, list):
        return [_with_value(item, rest, value) if index == head else item for index, item in enumerate(data)]
    fields = dict(data) if isinstance(data, dict) else {}
    fields[head] = _with_value(fields.get(head), rest, value)
    return fields
