"""What is wrong in a document the user wrote, and exactly where."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pipeline.errors import ConfigurationError

_SECRET_VALUE = re.compile(
    r"(?i)((?:password|passphrase|secret|token|credential|api_?key)[\w.-]*[\"']?\s*:\s*)\S.*"
)
_WIDEST = 120


class Location(NamedTuple):
    """A place in a document; lines and columns count from 1, and a line of 0 means no place in a text."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Level(StrEnum):
    """How much a problem matters."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong, for a person to mend.

    `code` is from a closed list. `source` is the line of text that `location` points into, if there is one; a
    secret in it is never shown.
    """

    location: Location
    level: Level
    code: str
    text: str
    source: str | None = None

    def __str__(self) -> str:
        return f"{self.location}: {self.level}: {self.text}{self._excerpt()}"

    def _excerpt(self) -> str:
        if self.source is None or not self.source.strip():
            return ""
        line = _SECRET_VALUE.sub(r"\1***", self.source)
        before = min(self.location.column - 1, len(line))
        start = max(0, before - _WIDEST // 2) if len(line) > _WIDEST else 0
        shown = line[start : start + _WIDEST]
        padding = "".join("\t" if character == "\t" else " " for character in line[start:before])
        return f"\n{shown}\n{padding}^"


class DocumentError(ConfigurationError):
    """A document cannot be used; holds every problem found in it, warnings too."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems, key=lambda problem: problem.location))
        super().__init__("\n".join(map(str, self.problems)))
