"""The sandbox's memory in a file: every operation that was accepted, in order, from which the rest follows."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipeline.errors import ConfigurationError

_SCHEMA = (
    "create table if not exists operations (number integer primary key, at real not null, body blob not null)"
)


class OperationFile:
    """An SQLite file that one sandbox at a time writes.

    Operations are safe when the request that brought them is answered.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            ConfigurationError: it cannot be opened, is no SQLite file, or another sandbox has it.
        """
        try:
            self._database = sqlite3.connect(path, timeout=0, check_same_thread=False)
            self._database.execute("pragma locking_mode = exclusive")
            self._database.execute("pragma journal_mode = wal")
            self._database.execute(_SCHEMA)
            self._database.commit()
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path}: cannot keep the sandbox's data here: {error}") from None

    def read(self) -> Iterator[tuple[Any, float]]:
        """Return every operation with the Unix time of its arrival."""
        for body, at in self._database.execute("select body, at from operations order by number"):
            yield orjson.loads(body), at

    def add(self, operation: object, at: float) -> None:
        """Write an operation down; `commit` makes it safe."""
        self._database.execute(
            "insert into operations (at, body) values (?, ?)", (at, orjson.dumps(operation))
        )

    def commit(self) -> None:
        """Make what was added safe."""
        if self._database.in_transaction:
            self._database.commit()

    def clear(self) -> None:
        """Forget everything."""
        self._database.execute("delete from operations")
        self._database.commit()

    def close(self) -> None:
        """Close the file."""
        self._database.close()
