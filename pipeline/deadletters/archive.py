"""Dead-letter files read back: what is in them, entry by entry, and what is not a dead letter."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.append_only import locked
from pipeline.deadletters.entry import DeadLetter, LetterKey, Resolution
from pipeline.deadletters.json_lines import NotADeadLetterError, from_line
from pipeline.errors import ConfigurationError, PipelineError


class Place(NamedTuple):
    """Where a line stands: the number of its file, its first byte and its length in bytes."""

    file: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """A line that was passed over: where it stands and why."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}; it is passed over"


class Archive:
    """Dead-letter files, read one after the other; later ones are newer where two entries have one time.

    Raises:
        ConfigurationError: a file is missing or may not be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(dict.fromkeys(paths))
        self._files: list[BinaryIO] = []
        try:
            for path in self.paths:
                self._files.append(_open(path))
        except ConfigurationError:
            self.close()
            raise

    def scan(self) -> Iterator[tuple[Place, DeadLetter | Resolution | Foreign]]:
        """Yield what each line holds. What is written while this runs is left for the next time."""
        for number, (path, file) in enumerate(zip(self.paths, self._files, strict=True)):
            start, size = 0, _size(file)
            file.seek(0)
            for line_number, line in enumerate(file, 1):
                if start >= size:
                    break
                place = Place(number, start, len(line))
                start += len(line)
                if line.strip():
                    yield place, _read(line, path, line_number)

    def load(self, place: Place, key: LetterKey) -> DeadLetter:
        """Return the entry that `scan` found at a place.

        Raises:
            PipelineError: something else stands there by now.
        """
        file = self._files[place.file]
        file.seek(place.start)
        try:
            found = from_line(file.read(place.length))
        except NotADeadLetterError:
            found = None
        if not isinstance(found, DeadLetter) or found.key != key:
            raise PipelineError(f"{self.paths[place.file]} changed while it was read; start again")
        return found

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the dead-letter file {path}: {error.strerror}; set deadletters.file or give --file"
        ) from None


def _size(file: BinaryIO) -> int:
    """Return the size at a moment when nobody is in the middle of a line."""
    with locked(file.fileno(), fcntl.LOCK_SH):
        return os.fstat(file.fileno()).st_size


def _read(line: bytes, path: Path, number: int) -> DeadLetter | Resolution | Foreign:
    try:
        return from_line(line)
    except NotADeadLetterError as error:
        return Foreign(f"{path}:{number}", str(error))
