"""A rule set: what maps events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.calls import Call, CallFailure, Mapped, Reason
from pipeline.documents import Document
from pipeline.mapping.building import MappingLimits, Run, TooManyCallsError, failure_of, size_of
from pipeline.mapping.dispatch import Index
from pipeline.mapping.plan import RulePlan
from pipeline.mapping.rules import MappingFile, Unmatched
from pipeline.mapping.trace import Point
from pipeline.records import Record

_UNMATCHED = Mapped(failures=(CallFailure(None, Reason.UNMATCHED, "no rule matches"),))
_NOTHING = Mapped()
_DROPPED = Mapped(matched=True)


class Apply(Protocol):
    """The generated function: takes an event through the rules and tells whether one matched."""

    def __call__(self, root: Any, record: Record, run: Run) -> bool:
        """Add calls and failures to the run."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class RuleSet:
    """Compiled rules. Immutable: a changed file makes another rule set."""

    rules: tuple[RulePlan, ...]
    files: Mapping[str, MappingFile]
    source: str
    _apply: Apply
    _apply_tombstone: Apply
    unmatched: Unmatched = Unmatched.SKIP
    limits: MappingLimits = field(default_factory=MappingLimits)
    points: tuple[Point, ...] = ()
    index: Index | None = None
    documents: tuple[Document, ...] = ()

    def map(self, event: Any, record: Record, now: float) -> Mapped:
        """Return the calls that the rules make of an event; `now` is Unix time.

        Never raises, whatever JSON value the event is, and never changes it; the calls may share parts with it and
        must not be changed either.
        """
        return self._map(event, Run(record, now, self.limits))

    def type_of(self, event: Any) -> str | None:
        """Return the text by which most rules tell events apart, None where there is none."""
        if self.index is None:
            return None
        for part in self.index.path:
            event = event.get(part) if isinstance(event, dict) else None
        return event if isinstance(event, str) else None

    def trace(self, event: Any, record: Record, now: float) -> tuple[Mapped, frozenset[int]]:
        """Map an event and return the numbers of the `points` it reached too; none if the set is not traced."""
        hits: set[int] = set()
        return self._map(event, Run(record, now, self.limits, hits)), frozenset(hits)

    def _map(self, event: Any, run: Run) -> Mapped:
        record = run.record
        try:
            matched = (self._apply_tombstone if record.value is None else self._apply)(event, record, run)
        except TooManyCallsError as error:
            return _too_many(str(error))
        except Exception as error:
            return Mapped(failures=(failure_of(error, None, None),), matched=True)
        calls = run.calls
        if not calls and not run.failures:
            return _DROPPED if matched else self._none_matched()
        excess = self._excess(calls, record) if len(calls) > 1 else None
        if excess is not None:
            return _too_many(excess)
        return Mapped(tuple(calls), tuple(run.failures), matched, run.clamped)

    def _none_matched(self) -> Mapped:
        return _UNMATCHED if self.unmatched is Unmatched.DEAD_LETTER else _NOTHING

    def _excess(self, calls: Sequence[Call], record: Record) -> str | None:
        """Return what is too much about the calls of one record, None if nothing is."""
        if len(calls) > self.limits.max_calls:
            return f"the rules make more than {self.limits.max_calls} calls of this record"
        roughly = len(calls) * (record.size + 1_000)
        if roughly > self.limits.max_bytes and size_of(calls) > self.limits.max_bytes:
            return f"the calls of this record take more than {self.limits.max_bytes:,} bytes"
        return None


def _too_many(text: str) -> Mapped:
    return Mapped(failures=(CallFailure(None, Reason.TOO_MANY_CALLS, text),), matched=True)
