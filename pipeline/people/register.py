"""Who is known: a file of bounded size with a row for each name of a person, by hash.

It can be lost without harm: how far each partition has been read is noted with the people, so what is missing can be
read again from the topic (`pipeline.people.learning`).
"""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from pipeline.calls import Identity
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.records import TopicPartition

_log = structlog.get_logger(__name__)

BUSY_WAIT_S = 5.0
"""How long to wait for another worker that writes to the same file; its transactions take milliseconds."""
_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS people (
    name BLOB PRIMARY KEY, identified INTEGER NOT NULL, email INTEGER NOT NULL, seen INTEGER NOT NULL, person BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS people_by_seen ON people (seen);
CREATE INDEX IF NOT EXISTS people_by_person ON people (person) WHERE person IS NOT NULL;
CREATE TABLE IF NOT EXISTS read (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS days (day INTEGER PRIMARY KEY, made INTEGER NOT NULL);
"""


class Known(NamedTuple):
    """What is known of a name: that its profile exists, whether it was identified, whether it has an e-mail address."""

    identified: bool
    email: bool


class _Row(NamedTuple):
    known: Known
    person: bytes | None


def name_of(identity: Identity) -> bytes:
    """Return what stands for a name: no name of a person is in the file."""
    return blake2b(identity.lane_key.encode(), digest_size=16).digest()


class Register:
    """The file. It belongs to the thread that opened it; other workers may have it open too.

    `day` is given with each question and note: the number of the day (UTC). Notes are in force at once and on the disk
    after `flush`.

    Raises:
        ConfigurationError: the file cannot be used.
        PipelineError: it cannot be read any more; every question may raise this.
    """

    def __init__(self, path: Path, max_people: int) -> None:
        self._path = path
        self._max_people = max_people
        self._noted: dict[bytes, _Row | None] = {}
        self._seen: dict[bytes, int] = {}
        self._made: dict[int, int] = {}
        self._failing = False
        self._people_at_most = 0
        try:
            self._database = sqlite3.connect(path, timeout=BUSY_WAIT_S, isolation_level=None)
            self._prepare()
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"cannot use the file of known people {path}: {error}; set people.known_file to a file in a folder that"
                " this user may write, or delete the file: it is made anew from the topics"
            ) from None

    def find(self, name: bytes, day: int) -> Known | None:
        """Return what is known of a name, None where there is nothing."""
        if name in self._noted:
            row = self._noted[name]
            return None if row is None else row.known
        found = self._ask("SELECT identified, email, seen FROM people WHERE name = ?", name)
        if found is None:
            return None
        if found[2] != day:
            self._seen[name] = day  # so that who is active is not forgotten, at a row a day
        return Known(bool(found[0]), bool(found[1]))

    def note(self, name: bytes, known: Known, day: int, person: bytes | None = None) -> None:
        """Note what is known of a name. `person` is another name of the same person: they are forgotten together."""
        self._noted[name] = _Row(known, person)
        self._seen[name] = day

    def forget(self, name: bytes) -> None:
        """Forget a person, by any of their names."""
        person = self._person(name)
        gone = {name, person, *self._others(person)}
        gone |= {each for each, row in self._noted.items() if row is not None and row.person == person}
        self._noted.update(dict.fromkeys(gone))

    def _person(self, name: bytes) -> bytes:
        """Return the name under which the other names of the same person are noted."""
        noted = self._noted.get(name)
        if noted is not None:
            return noted.person or name
        found = self._ask("SELECT person FROM people WHERE name = ?", name)
        return name if found is None or found[0] is None else bytes(found[0])

    def _others(self, person: bytes) -> set[bytes]:
        try:
            rows = self._database.execute("SELECT name FROM people WHERE person = ?", (person,)).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from None
        return {name for (name,) in rows}

    def read_up_to(self, partition: TopicPartition) -> int | None:
        """Return the offset below which everything in a partition is noted; None when nothing has been read."""
        found = self._ask("SELECT next FROM read WHERE topic = ? AND partition = ?", *partition)
        return None if found is None else int(found[0])

    def count_made(self, day: int) -> None:
        """Count a profile that was made."""
        self._made[day] = self._made.get(day, 0) + 1

    def made_on(self, day: int) -> int:
        """Return how many profiles were made on a day."""
        found = self._ask("SELECT made FROM days WHERE day = ?", day)
        return (0 if found is None else int(found[0])) + self._made.get(day, 0)

    def flush(self, read: Mapping[TopicPartition, int]) -> bool:
        """Put what was noted on the disk, and that the partitions are read up to these offsets; tell whether it is.

        When it cannot be, the notes stay in force and go with the next flush: after a crash they are read again.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._write(read)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            if not self._failing:
                _log.warning("known_people_not_kept", cause=str(error), then="tried again at each commit")
            self._failing = True
            return False
        self._failing = False
        self._noted.clear()
        self._seen.clear()
        self._made.clear()
        return True

    def close(self) -> None:
        """Close the file; what was not flushed is read again from the topic."""
        self._database.close()

    def _ask(self, question: str, *values: bytes | str | int) -> tuple[Any, ...] | None:
        try:
            found: tuple[Any, ...] | None = self._database.execute(question, values).fetchone()
        except sqlite3.Error as error:
            raise self._unreadable(error) from None
        return found

    def _unreadable(self, error: sqlite3.Error) -> PipelineError:
        return PipelineError(f"cannot read the file of known people {self._path}: {error}")

    def _prepare(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version not in {0, _FORMAT}:
            raise sqlite3.DatabaseError("another version of this program made it")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")  # what a crash of the machine costs is read again
        self._database.executescript(_TABLES)
        self._database.execute(f"PRAGMA user_version = {_FORMAT}")
        self._people_at_most = self._count()

    def _count(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM people").fetchone()
        return int(count)

    def _write(self, read: Mapping[TopicPartition, int]) -> None:
        execute = self._database.executemany
        execute(
            "DELETE FROM people WHERE name = ?", [(name,) for name, row in self._noted.items() if row is None]
        )
        execute(
            "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?, ?)",
            [
                (name, *row.known, self._seen.get(name, 0), row.person)
                for name, row in self._noted.items()
                if row is not None
            ],
        )
        seen = [(day, name) for name, day in self._seen.items() if name not in self._noted]
        execute("UPDATE people SET seen = ? WHERE name = ?", seen)
        execute(
            "INSERT INTO days VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET made = made + excluded.made",
            list(self._made.items()),
        )
        execute(
            "INSERT INTO read VALUES (?, ?, ?) ON CONFLICT (topic, partition)"
            " DO UPDATE SET next = max(next, excluded.next)",
            [(*partition, offset) for partition, offset in read.items()],
        )
        self._people_at_most += len(self._noted)
        if self._people_at_most > self._max_people:
            self._forget_the_oldest()

    def _forget_the_oldest(self) -> None:
        self._people_at_most = self._count()
        if self._people_at_most <= self._max_people:
            return
        # Some more than needed, so that it is not done at every flush.
        excess = self._people_at_most - self._max_people + self._max_people // 100
        self._database.execute(
            "DELETE FROM people WHERE name IN (SELECT name FROM people ORDER BY seen LIMIT ?)", (excess,)
        )
        self._people_at_most -= excess
        _log.warning("known_people_forgotten", names=excess, then="they count as never identified")
