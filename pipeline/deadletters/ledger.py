"""Where a retry notes what became of each dead letter: beside the entries, in every file that holds one."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pipeline.deadletters.append import AppendOnlyFile
from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.deadletters.json_lines import resolution_line, to_line
from pipeline.deadletters.unresolved import Unresolved


class Ledger(Protocol):
    """What is noted is safe when `flush` has returned."""

    def add(self, letter: Unresolved, entry: DeadLetter) -> None:
        """Note that something of a dead letter failed again."""
        ...

    def resolve(self, letter: Unresolved, resolution: Resolution) -> None:
        """Note that a dead letter is done with."""
        ...

    def flush(self) -> None:
        """Make what was noted safe.

        Raises:
            DeadLettersUnavailableError: it could not be; it is kept for the next call.
        """
        ...


class FileLedger:
    """Appends to the dead-letter files themselves.

    A file is opened when something is to be noted in it, so that reading needs no right to write.

    Raises:
        ConfigurationError: a file cannot be opened for writing.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._files: dict[int, AppendOnlyFile] = {}
        self._unsafe: dict[int, list[bytes]] = defaultdict(list)

    def add(self, letter: Unresolved, entry: DeadLetter) -> None:
        """Note a new entry in the file of the newest one."""
        self._unsafe[letter.place.file].append(to_line(entry))

    def resolve(self, letter: Unresolved, resolution: Resolution) -> None:
        """Note a resolution in every file that holds an entry, so that none of them shows it again by itself."""
        for file in letter.files:
            self._unsafe[file].append(resolution_line(resolution))

    def flush(self) -> None:
        """Append and sync what was noted, each file once."""
        for number in list(self._unsafe):
            if number not in self._files:
                self._files[number] = AppendOnlyFile(self._paths[number])
            self._files[number].append(b"".join(self._unsafe[number]))
            del self._unsafe[number]

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
