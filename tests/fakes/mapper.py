"""A mapper in a few lines, for tests of what comes after it.

An event is a list of calls, each `[kind, person]` or `[kind, person, name]`; `"fail"` as a kind is a failure.
A null event matches nothing, an empty list is dropped by a rule.
"""

from typing import Any

from pipeline.calls import Call, CallFailure, CallKind, CallSource, Identity, IdentityKind, Mapped, Reason
from pipeline.records import Record


class ListMapper:
    """Takes events at their word."""

    def type_of(self, event: Any) -> str | None:
        """These events have no types."""
        return None

    def map(self, event: Any, record: Record, now: float) -> Mapped:
        if event is None:
            return Mapped()
        calls, failures = [], []
        for ordinal, (kind, person, *name) in enumerate(event):
            if kind == "fail":
                failures.append(CallFailure(None, Reason.MAPPING_ERROR, "a rule failed"))
            else:
                source = CallSource("rule", CallKind(kind), name[0] if name else None, ordinal)
                identity = Identity(IdentityKind.ID, person)
                calls.append(Call(source, identity, name=source.name, timestamp=int(now)))
        return Mapped(tuple(calls), tuple(failures), matched=True)
