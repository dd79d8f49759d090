"""Dead letters in a local file: JSON Lines, on the disk before anything is settled."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.json_lines import to_line
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import ConfigurationError, DeadLettersUnavailableError


class FileDeadLetters:
    """Appends entries to a file and syncs it once for all entries of a flush.

    The file is readable by its owner only, because it holds what the records held.

    Raises:
        ConfigurationError: the file cannot be opened for writing.
    """

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._path = path
        self._sync = sync
        self._unsafe: list[tuple[bytes, OpenRecord]] = []
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._end_torn_line()
            _sync_folder(path.parent)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the dead-letter file {path}: {error.strerror}; "
                "set deadletters.file to a file in a folder that this user may write"
            ) from error

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
        size_before = os.fstat(self._descriptor).st_size
        try:
            self._append(b"".join(line for line, _ in self._unsafe))
            self._sync(self._descriptor)
        except OSError as error:
            # A half-written line would swallow the one that is written next.
            os.ftruncate(self._descriptor, size_before)
            raise DeadLettersUnavailableError(
                f"cannot write the dead-letter file {self._path}: {error.strerror}"
            ) from error
        safe = [record for _, record in self._unsafe]
        self._unsafe.clear()
        return safe

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _end_torn_line(self) -> None:
        """End the line that a crash cut short: its record was never settled and comes again."""
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            self._append(b"\n")


def _sync_folder(folder: Path) -> None:
    """Make the file's name itself survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
