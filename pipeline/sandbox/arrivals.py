"""What arrived, in its order, and what became of it: the sandbox's activity log."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What the sandbox did with an operation that it answered with 200."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # the event id came before
    STALE = "stale"  # older than the person's newest attribute change: "Skipped Update"
    SUPPRESSED = "suppressed"  # the identifier is suppressed
    UNKNOWN = "unknown"  # a cio_id nobody has, a merge into nobody, `_update` of nobody
    CONFLICT = "conflict"  # an identifier belongs to someone else: "Attribute Update Failure"


KIND_NAMES = {
    ("person", "event"): "track",
    ("person", "delete"): "destroy",
    ("person", "add_relationships"): "relate",
    ("person", "delete_relationships"): "relate",
    ("delivery", "event"): "metric",
    ("object", "identify"): "object_identify",
    ("object", "delete"): "object_delete",
    ("object", "add_relationships"): "object_relate",
    ("object", "delete_relationships"): "object_relate",
}
"""Operations of v2 whose call has another name; the others are called what their action is."""


@dataclass(slots=True, eq=False)
class Arrival:
    """One operation as it arrived. `person` is how it named whom it is about, `at` Unix time.

    `request` numbers the request that brought it; what a file kept from an earlier run has 0.
    """

    number: int
    request: int
    at: float
    kind: str
    person: str
    outcome: Outcome
    event_id: str | None
    name: str | None
    timestamp: float | None
    data: Mapping[str, Any]
    detail: str | None

    def document(self) -> dict[str, Any]:
        """Return the arrival for JSON."""
        return {key: getattr(self, key) for key in Arrival.__slots__}


@dataclass(slots=True)
class Journal:
    """Every arrival in order, with the counts that tests and the page ask for."""

    arrivals: list[Arrival] = field(default_factory=list)
    by_person: dict[str, list[Arrival]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    event_ids: Counter[str] = field(default_factory=Counter)
    events_counted: int = 0
    refused: int = 0
    requests: int = 0

    def repeats(self, event_id: str | None) -> bool:
        """Count an event by its id; tell whether it was counted before. Without an id nothing repeats."""
        if event_id is not None:
            self.event_ids[event_id] += 1
            if self.event_ids[event_id] > 1:
                return True
        self.events_counted += 1
        return False

    def add(
        self, at: float, person: str, operation: Mapping[str, Any], outcome: Outcome, detail: str | None
    ) -> Arrival:
        """Write down one operation and return it."""
        action = operation["action"]
        kind = KIND_NAMES.get((operation["type"], action), action)
        arrival = Arrival(
            len(self.arrivals),
            self.requests,
            at,
            kind,
            person,
            outcome,
            operation.get("id"),
            operation.get("name"),
            operation.get("timestamp"),
            _data(operation),
            detail,
        )
        self.arrivals.append(arrival)
        self.calls[kind] += 1
        self.outcomes[outcome] += 1
        self.by_person.setdefault(person, []).append(arrival)
        return arrival


def _data(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an operation says beside whom it is about."""
    plain = operation.get("attributes") or operation.get("device")
    if plain:
        found: Mapping[str, Any] = plain
        return found
    return {name: operation[name] for name in ("cio_relationships", "secondary") if name in operation}
