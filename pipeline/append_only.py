"""A file of lines that several processes may append to: whole lines, on the disk before anything is said to be safe."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError, PipelineError


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a file is for: how it is called, which setting names it, and what is raised when it takes no line."""

    name: str
    setting: str
    unavailable: type[PipelineError]


class AppendOnlyFile:
    """Appends lines and syncs them, one process at a time: a pipeline and a retry may share the file.

    The file is readable by its owner only, because it holds what the records held.

    Raises:
        ConfigurationError: the file cannot be opened for writing.
    """

    def __init__(self, path: Path, purpose: Purpose, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._path = path
        self._purpose = purpose
        self._sync = sync
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with locked(self._descriptor, fcntl.LOCK_EX):
                self._end_torn_line()
            _sync_folder(path.parent)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the {purpose.name} file {path}: {error.strerror}; "
                f"set {purpose.setting} to a file in a folder that this user may write"
            ) from error

    def append(self, lines: bytes) -> None:
        """Append whole lines and sync them.

        Raises:
            PipelineError: the purpose's own kind: they could not be written; the file is as before.
        """
        try:
            with locked(self._descriptor, fcntl.LOCK_EX):
                self._append(lines)
        except OSError as error:
            raise self._purpose.unavailable(
                f"cannot write the {self._purpose.name} file {self._path}: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _append(self, lines: bytes) -> None:
        size_before = os.fstat(self._descriptor).st_size
        try:
            self._end_torn_line()
            self._write(lines)
            self._sync(self._descriptor)
        except OSError:
            # A half-written line would swallow the one that is written next.
            os.ftruncate(self._descriptor, size_before)
            raise

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _end_torn_line(self) -> None:
        """End the line that a crash cut short: its record was never settled and comes again."""
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            self._write(b"\n")


@contextmanager
def locked(descriptor: int, kind: int) -> Iterator[None]:
    """Hold a lock of the whole file (`fcntl.LOCK_EX` or `LOCK_SH`), which ends with the process at the latest.

    Raises:
        OSError: it cannot be had.
    """
    fcntl.flock(descriptor, kind)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _sync_folder(folder: Path) -> None:
    """Make the file's name itself survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
