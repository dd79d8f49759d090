"""What a change of the rules does to the same records: calls added, removed and changed, by rule and by field."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipeline.calls import CallFailure, CallKind
from pipeline.deadletters.masking import Mask
from pipeline.records import Record
from pipeline.translation import Prepared, Translation

EXAMPLES = 3
"""How many examples of each change are kept."""

_Key = tuple[str, CallKind, str | int | None, int]
"""A rule, a kind of call, an element, and which of them it is: what stays the same when a call changes."""
_Path = tuple[str, ...]
_PLAIN: frozenset[_Path] = frozenset({("id",), ("timestamp",), ("action",), ("type",)})
"""Fields of a call that hold no personal data: an event's id and time, and what is done."""
_ABSENT = object()


@dataclass(slots=True)
class Changes:
    """Counts for one rule, or for all."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    same: int = 0
    failures_added: int = 0
    failures_removed: int = 0

    @property
    def any(self) -> bool:
        """Whether anything is different."""
        return bool(self.added + self.removed + self.changed + self.failures_added + self.failures_removed)


@dataclass(frozen=True, slots=True)
class Example:
    """One change, with values as they may be shown; None where a field is not there."""

    position: str
    old: Any
    new: Any


@dataclass(slots=True)
class FieldChanges:
    """How often a field of a rule's calls changed."""

    count: int = 0
    examples: list[Example] = field(default_factory=list)


class Difference:
    """Compares what two rule sets make of records, one record after the other."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self.records = 0
        self.records_changed = 0
        self.total = Changes()
        self.rules: dict[str, Changes] = {}
        self.fields: dict[tuple[str, str], FieldChanges] = {}
        self.calls: dict[tuple[str, str, str], FieldChanges] = {}
        """Added and removed calls, by what happened, rule and kind."""
        self.reasons: Counter[tuple[str, str]] = Counter()
        """Failures, by what happened and reason."""

    def note(self, record: Record, old: Translation, new: Translation) -> None:
        """Take note of what becomes of a record under each."""
        self.records += 1
        before, after = _by_key(old), _by_key(new)
        differs = False
        for key in dict.fromkeys([*before, *after]):
            differs |= self._compare(record, key, before.get(key), after.get(key))
        differs |= self._compare_failures(old.failures, new.failures)
        self.records_changed += differs

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "records": self.records,
            "records_changed": self.records_changed,
            "total": _counts(self.total),
            "rules": {rule: _counts(changes) for rule, changes in sorted(self.rules.items())},
            "fields": [
                {"rule": rule, "field": name, "count": found.count, "examples": _plain(found.examples)}
                for (rule, name), found in sorted(self.fields.items())
            ],
            "calls": [
                {
                    "change": what,
                    "rule": rule,
                    "kind": kind,
                    "count": found.count,
                    "examples": _plain(found.examples),
                }
                for (what, rule, kind), found in sorted(self.calls.items())
            ],
            "failures": [
                {"change": what, "reason": reason, "count": count}
                for (what, reason), count in sorted(self.reasons.items())
            ],
        }

    def _compare(self, record: Record, key: _Key, old: Prepared | None, new: Prepared | None) -> bool:
        rule = key[0]
        counts = self.rules.setdefault(rule, Changes())
        if old is not None and new is not None:
            if old.payload == new.payload:
                counts.same += 1
                self.total.same += 1
                return False
            counts.changed += 1
            self.total.changed += 1
            self._note_fields(record, rule, old, new)
            return True
        only = new if old is None else old
        assert only is not None
        what = "added" if old is None else "removed"
        for each in (counts, self.total):
            setattr(each, what, getattr(each, what) + 1)
        shown = self._mask.payload(only.payload, only.source.kind)
        example = Example(str(record.position), *((None, shown) if old is None else (shown, None)))
        _add(self.calls.setdefault((what, rule, str(key[1])), FieldChanges()), example)
        return True

    def _note_fields(self, record: Record, rule: str, old: Prepared, new: Prepared) -> None:
        before, after = (dict(_leaves(orjson.loads(call.payload))) for call in (old, new))
        for path in dict.fromkeys([*before, *after]):
            was, becomes = before.get(path, _ABSENT), after.get(path, _ABSENT)
            if was != becomes or type(was) is not type(becomes):
                example = Example(str(record.position), self._shown(path, was), self._shown(path, becomes))
                name = ".".join(map(self._mask.name, path))
                _add(self.fields.setdefault((rule, name), FieldChanges()), example)

    def _shown(self, path: _Path, value: Any) -> Any:
        if value is _ABSENT:
            return None
        return value if path in _PLAIN else self._mask.value(value, path[-1])

    def _compare_failures(self, old: tuple[CallFailure, ...], new: tuple[CallFailure, ...]) -> bool:
        before = Counter((failure.source and failure.source.rule, failure.reason) for failure in old)
        after = Counter((failure.source and failure.source.rule, failure.reason) for failure in new)
        for what, difference in (("added", after - before), ("removed", before - after)):
            for (rule, reason), count in difference.items():
                self.reasons[what, str(reason)] += count
                for each in (self.total, self.rules.setdefault(rule or "(any)", Changes())):
                    name = f"failures_{what}"
                    setattr(each, name, getattr(each, name) + count)
        return before != after


def _by_key(translation: Translation) -> dict[_Key, Prepared]:
    found: dict[_Key, Prepared] = {}
    numbers: Counter[tuple[object, ...]] = Counter()
    for call in translation.calls:
        source = call.source
        group = (source.rule, source.kind, source.element)
        found[source.rule, source.kind, source.element, numbers[group]] = call
        numbers[group] += 1
    return found


def _leaves(value: Mapping[str, Any], path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """Yield every value that is not an object, by its path; a list is one value."""
    for name, part in value.items():
        if isinstance(part, dict) and part:
            yield from _leaves(part, (*path, name))
        else:
            yield (*path, name), part


def _add(found: FieldChanges, example: Example) -> None:
    found.count += 1
    if len(found.examples) < EXAMPLES:
        found.examples.append(example)


def _counts(changes: Changes) -> dict[str, int]:
    return {name: getattr(changes, name) for name in changes.__slots__}


def _plain(examples: list[Example]) -> list[dict[str, Any]]:
    return [{"position": each.position, "old": each.old, "new": each.new} for each in examples]
