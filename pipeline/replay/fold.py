"""A person's identifies of a range put together into one, which stands where the first of them stood.

An identify is a partial update, so keeping only the newest would lose attributes. The first place is taken because what
follows, an event that starts a campaign for instance, may need the person whole.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from types import TracebackType
from typing import Any, Self

import orjson

from pipeline.calls import CallKind, Identity, IdentityKind
from pipeline.customerio.limits import MAX_ITEM_BYTES
from pipeline.records import Record
from pipeline.translation import Prepared, Translation

MAX_ATTRIBUTES = 300
"""What one identify may carry (Customer.io's Track API)."""
BARRIERS = frozenset({CallKind.DESTROY, CallKind.SUPPRESS, CallKind.UNSUPPRESS, CallKind.MERGE})
"""Calls that nothing is carried across."""

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE open (person TEXT PRIMARY KEY, place TEXT NOT NULL, operation BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE done (place TEXT PRIMARY KEY, operation BLOB NOT NULL) WITHOUT ROWID;
"""


class Fold:
    """Takes note of a range once, then says for each identify what is sent in its place.

    What is put together is held by a database that moves to a temporary file when it grows. A person whose records are
    in several partitions gets one identify for each, because partitions have no order among each other.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # "": a private file, removed when closed
        self._database.executescript(_TABLES)

    def note(
        self, record: Record, translation: Translation, is_sent: Callable[[Record, Prepared], bool]
    ) -> None:
        """Take note of a record; those of one partition come in their order. `is_sent` tells of a call what it says."""
        for index, call in enumerate(translation.calls):
            if call.source.kind in BARRIERS:
                self._end(record, call)
            elif call.source.kind is CallKind.IDENTIFY and is_sent(record, call):
                self._add(record, index, call)

    def folded(self, record: Record, index: int, call: Prepared) -> Prepared | None:
        """Return what is sent in place of an identify; None where another one carries it."""
        found = self._one("SELECT operation FROM done WHERE place = ?", _place(record, index))
        return None if found is None else call._replace(payload=found[0])

    def seal(self) -> None:
        """Take note that the range is at its end; `folded` may be asked from then on."""
        self._database.execute("INSERT INTO done SELECT place, operation FROM open")
        self._database.execute("DELETE FROM open")

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add(self, record: Record, index: int, call: Prepared) -> None:
        person = _key(record, call.identity)
        found = self._one("SELECT place, operation FROM open WHERE person = ?", person)
        if found is None:
            values = (person, _place(record, index), call.payload)
            self._database.execute("INSERT INTO open VALUES (?, ?, ?)", values)
            return
        together = _together(orjson.loads(found[1]), orjson.loads(call.payload))
        if together is None:
            self._move(person)
            self._add(record, index, call)
            return
        self._database.execute("UPDATE open SET operation = ? WHERE person = ?", (together, person))

    def _end(self, record: Record, call: Prepared) -> None:
        self._move(_key(record, call.identity))
        if call.source.kind is CallKind.MERGE:
            ((kind, value),) = orjson.loads(call.payload)["secondary"].items()
            self._move(_key(record, Identity(IdentityKind(kind), str(value))))

    def _move(self, person: str) -> None:
        self._database.execute(
            "INSERT INTO done SELECT place, operation FROM open WHERE person = ?", (person,)
        )
        self._database.execute("DELETE FROM open WHERE person = ?", (person,))

    def _one(self, query: str, value: str) -> Any:
        with closing(self._database.execute(query, (value,))) as cursor:
            return cursor.fetchone()


def _together(first: dict[str, Any], second: dict[str, Any]) -> bytes | None:
    """Return one identify for two, None where Customer.io would not take it."""
    together = {**first, **second, "attributes": {**first["attributes"], **second["attributes"]}}
    times = [time for operation in (first, second) if (time := operation.get("timestamp")) is not None]
    if times:
        together["timestamp"] = max(times)
    related = [*first.get("cio_relationships", ()), *second.get("cio_relationships", ())]
    if related:
        together["cio_relationships"] = related
    payload = orjson.dumps(together)
    fits = len(payload) <= MAX_ITEM_BYTES and len(together["attributes"]) <= MAX_ATTRIBUTES
    return payload if fits else None


def _key(record: Record, identity: Identity | None) -> str:
    return f"{record.partition}/{identity.lane_key if identity is not None else ''}"


def _place(record: Record, index: int) -> str:
    return f"{record.partition}/{record.offset}/{index}"
