"""Dead letters in a local file: JSON Lines, on the disk before anything is settled."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.append_only import AppendOnlyFile, Purpose
from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.json_lines import to_line
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import DeadLettersUnavailableError

DEAD_LETTER_FILE = Purpose("dead-letter", "deadletters.file", DeadLettersUnavailableError)


class FileDeadLetters:
    """Appends entries to a file and syncs it once for all entries of a flush.

    Raises:
        ConfigurationError: the file cannot be opened for writing.
    """

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._file = AppendOnlyFile(path, DEAD_LETTER_FILE, sync=sync)
        self._unsafe: list[tuple[bytes, OpenRecord]] = []

    def write(self, entry: DeadLetter, record: OpenRecord) -> None:
        """Take an entry; the next flush makes it safe."""
        self._unsafe.append((to_line(entry), record))

    def flush(self) -> Sequence[OpenRecord]:
        """Append and sync all entries taken since the last call.

        Raises:
            DeadLettersUnavailableError: they could not be written; the file is as before, the next call tries again.
        """
        if not self._unsafe:
            return ()
        self._file.append(b"".join(line for line, _ in self._unsafe))
        safe = [record for _, record in self._unsafe]
        self._unsafe.clear()
        return safe

    def close(self) -> None:
        """Close the file."""
        self._file.close()
