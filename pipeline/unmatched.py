"""Which events no rule matched, by their type: how a new kind of event is noticed."""

import re
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.records import Record
from pipeline.tally import Tally

MOST_TYPES = 100
"""Types that are told apart; whatever comes later is counted as `other`."""
UNKNOWN, OTHER = "unknown", "other"

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,63}")
"""What may be a type and no data: no address, no sentence, no number."""


class Rules(Protocol):
    """A rule set."""

    def type_of(self, event: Any) -> str | None:
        """Return the text by which most rules tell events apart, None where there is none."""
        ...


class UnmatchedTypes:
    """Counts by the type of one record of each run: exact while records come singly, else an estimate.

    `decode` gives a record's event, `rules` the rules that are in force.
    """

    def __init__(self, tally: Tally, decode: Callable[[Record], Any], rules: Callable[[], Rules]) -> None:
        self._counts = tally.unmatched
        self._decode = decode
        self._rules = rules

    def note(self, record: Record, count: int) -> None:
        """Count so many unmatched records, of which `record` is one."""
        found = self._rules().type_of(self._decode(record))
        self._counts[self._name(found)] += count

    def _name(self, found: str | None) -> str:
        if found is None:
            return UNKNOWN
        if found in self._counts:
            return found
        return found if len(self._counts) < MOST_TYPES and _PLAIN.fullmatch(found) else OTHER
