"""Where is noted what became of each dead letter: beside its entries, wherever one stands."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pipeline.append_only import AppendOnlyFile
from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.deadletters.file import DEAD_LETTER_FILE
from pipeline.deadletters.json_lines import resolution_line, to_line
from pipeline.deadletters.unresolved import Unresolved

Note = DeadLetter | Resolution


class Sink(Protocol):
    """One file or topic of dead letters."""

    def keep(self, notes: Sequence[Note]) -> None:
        """Write notes and return when they are safe.

        Raises:
            DeadLettersUnavailableError: they could not be made safe.
        """
        ...

    def close(self) -> None:
        """Release it."""
        ...


class Ledger:
    """Notes for the files of an archive; `sinks` has one for each of them. They are safe when `flush` has returned."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._unsafe: dict[int, list[Note]] = defaultdict(list)

    def add(self, letter: Unresolved, entry: DeadLetter) -> None:
        """Note where the newest entry stands that something of a dead letter failed again."""
        self._unsafe[letter.place.file].append(entry)

    def resolve(self, letter: Unresolved, resolution: Resolution) -> None:
        """Note wherever an entry stands that the dead letter is done with, so that no file shows it by itself."""
        for file in sorted(letter.files):
            self._unsafe[file].append(resolution)

    def flush(self) -> None:
        """Make what was noted safe.

        Raises:
            DeadLettersUnavailableError: it could not be; it is kept for the next call.
            ConfigurationError: a file cannot be opened for writing.
        """
        for file in list(self._unsafe):
            self._sinks[file].keep(self._unsafe[file])
            del self._unsafe[file]

    def close(self) -> None:
        """Release every sink."""
        for sink in self._sinks:
            sink.close()


class FileSink:
    """A dead-letter file, opened with the first note, so that reading needs no right to write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: AppendOnlyFile | None = None

    def keep(self, notes: Sequence[Note]) -> None:
        """Append notes and sync them.

        Raises:
            ConfigurationError: the file cannot be opened for writing.
            DeadLettersUnavailableError: they could not be written; the file is as before.
        """
        if self._file is None:
            self._file = AppendOnlyFile(self._path, DEAD_LETTER_FILE)
        self._file.append(b"".join(_line(note) for note in notes))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(note: Note) -> bytes:
    return to_line(note) if isinstance(note, DeadLetter) else resolution_line(note)
