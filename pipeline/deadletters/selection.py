"""Which dead letters a command is about."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.calls import Reason
from pipeline.deadletters.unresolved import Unresolved


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that all hold at once; an empty one is no condition.

    `since_ms` and `until_ms` bound when an entry was last seen, in Unix milliseconds; the end is not included.
    """

    reasons: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    positions: frozenset[str] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None

    def __call__(self, letter: Unresolved) -> bool:
        """Tell whether a dead letter meets every condition."""
        source = letter.source
        return (
            _among(letter.reason, self.reasons)
            and _among(source and source.rule, self.rules)
            and _among(letter.field, self.fields)
            and _among(source and str(source.kind), self.kinds)
            and _among(letter.position.topic, self.topics)
            and _among(str(letter.position), self.positions)
            and (self.since_ms is None or letter.last_seen_ms >= self.since_ms)
            and (self.until_ms is None or letter.last_seen_ms < self.until_ms)
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """Dead letters of one reason, rule and field; `example` is the newest one's text. Times are Unix milliseconds."""

    reason: Reason
    rule: str | None
    field: str | None
    count: int
    first_seen_ms: int
    last_seen_ms: int
    example: str


def by_kind(letters: Iterable[Unresolved]) -> list[Kind]:
    """Group dead letters by reason, rule and field, the largest group first."""
    groups: dict[tuple[Reason, str | None, str | None], list[Unresolved]] = defaultdict(list)
    for letter in letters:
        groups[letter.reason, letter.source and letter.source.rule, letter.field].append(letter)
    kinds = [
        Kind(
            *named,
            count=len(group),
            first_seen_ms=min(letter.first_seen_ms for letter in group),
            last_seen_ms=max(letter.last_seen_ms for letter in group),
            example=max(group, key=lambda letter: letter.last_seen_ms).text,
        )
        for named, group in groups.items()
    ]
    return sorted(kinds, key=lambda kind: (-kind.count, kind.reason, kind.rule or "", kind.field or ""))


def _among(value: str | None, wanted: frozenset[str]) -> bool:
    return not wanted or value in wanted
