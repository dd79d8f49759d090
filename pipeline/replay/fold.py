"""A person's identifies of a range put together into one, which stands where the first of them stood.

An identify is a partial update, so keeping only the newest would lose attributes. The first place is taken because what
follows, an event that starts a campaign for instance, may need the person whole.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import orjson

from pipeline.calls import CallKind, CallSource, Identity, Reason
from pipeline.customerio.limits import MAX_ITEM_BYTES
from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.json_lines import from_line, to_line
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
CREATE TABLE carried (carrier TEXT NOT NULL, letter BLOB NOT NULL);
CREATE INDEX by_carrier ON carried (carrier);
"""


class Fold:
    """Takes note of a range once, then says for each identify what is sent in its place.

    What is put together is held by a database that moves to a temporary file when it grows. A person whose records are
    in several partitions gets one identify for each, because partitions have no order among each other.

    An identify that is older than what stands before it goes by itself, so that Customer.io passes over it as it would
    without folding. With `by_time=False` they count in the order of their records: they are sent with one time.
    """

    def __init__(self, *, by_time: bool = True) -> None:
        self._by_time = by_time
        self._database = sqlite3.connect("", isolation_level=None)  # "": a private file, removed when closed
        self._database.executescript(_TABLES)

    def note(
        self, record: Record, translation: Translation, is_sent: Callable[[Record, Prepared], bool]
    ) -> None:
        """Take note of a record; those of one partition come in their order. `is_sent` tells of a call what it says."""
        for call in translation.calls:
            if call.source.kind in BARRIERS:
                self._end(record, call)
            elif call.source.kind is CallKind.IDENTIFY and is_sent(record, call):
                self._add(record, call)

    def folded(self, record: Record, call: Prepared) -> Prepared | None:
        """Return what is sent in place of an identify; None where another one carries it."""
        found = self._one("SELECT operation FROM done WHERE place = ?", _place(record, call.source))
        return None if found is None else call._replace(payload=found[0])

    def carried(self, failed: DeadLetter) -> Sequence[DeadLetter]:
        """Return a dead letter like that of a failed identify for each of those that it carried."""
        if failed.source is None:
            return ()
        rows = self._database.execute(
            "SELECT letter FROM carried WHERE carrier = ? ORDER BY rowid",
            (_place(failed.record, failed.source),),
        )
        letters = [from_line(line) for (line,) in rows]
        return [
            replace(failed, record=each.record, source=each.source)
            for each in letters
            if isinstance(each, DeadLetter)
        ]

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

    def _add(self, record: Record, call: Prepared) -> None:
        person, place = _key(record, call.identity), _place(record, call.source)
        found = self._one("SELECT place, operation FROM open WHERE person = ?", person)
        if found is None:
            self._database.execute("INSERT INTO open VALUES (?, ?, ?)", (person, place, call.payload))
            return
        carrier, first, second = found[0], orjson.loads(found[1]), orjson.loads(call.payload)
        if self._by_time and _is_older(second, first):
            self._database.execute("INSERT INTO done VALUES (?, ?)", (place, call.payload))
            return
        together = _together(first, second)
        if together is None:
            self._move(person)
            self._add(record, call)
            return
        self._database.execute("UPDATE open SET operation = ? WHERE person = ?", (together, person))
        self._database.execute("INSERT INTO carried VALUES (?, ?)", (carrier, _kept(record, call)))

    def _end(self, record: Record, call: Prepared) -> None:
        self._move(_key(record, call.identity))
        if call.secondary is not None:
            self._move(_key(record, call.secondary))

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


def _is_older(second: dict[str, Any], first: dict[str, Any]) -> bool:
    """Tell whether Customer.io would pass over the second, because it has the first."""
    before, after = first.get("timestamp"), second.get("timestamp")
    return before is not None and after is not None and after < before


def _kept(record: Record, call: Prepared) -> bytes:
    """Return all that a dead letter about a carried identify needs; its reason is that of the carrier, if it comes."""
    return to_line(DeadLetter(record, Reason.REJECTED, "", 0, call.source))


def _key(record: Record, identity: Identity | None) -> str:
    return f"{record.partition}/{identity.lane_key if identity is not None else ''}"


def _place(record: Record, source: CallSource) -> str:
    return f"{record.partition}/{record.offset}/{source}"
