"""Which rules and branches the tests of a rule set reach."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.mapping.cases import CaseResult
from pipeline.mapping.ruleset import RuleSet
from pipeline.mapping.trace import Point


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was reached of what could be."""

    reached: int
    missed: tuple[Point, ...]

    @property
    def percent(self) -> float:
        """The share that was reached; all of nothing is 100."""
        total = self.reached + len(self.missed)
        return 100.0 if total == 0 else 100.0 * self.reached / total

    def __add__(self, other: "Coverage") -> "Coverage":
        return Coverage(self.reached + other.reached, self.missed + other.missed)


def coverage(rules: RuleSet, results: Sequence[CaseResult]) -> Coverage:
    """Return the coverage of a rule set by the tests that were run on it."""
    hits = frozenset[int]().union(*(result.hits for result in results))
    missed = tuple(point for number, point in enumerate(rules.points) if number not in hits)
    return Coverage(len(rules.points) - len(missed), missed)
