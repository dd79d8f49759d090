"""Points in generated rules that tells, when it is asked to, that an event came by."""

from dataclasses import dataclass, field

from pipeline.documents import Location
from pipeline.mapping.expression import Node
from pipeline.mapping.plan import RulePlan
from pipeline.mapping.templates import Expression


@dataclass(frozen=True, slots=True)
class Point:
    """A place that a test can reach: a rule that matched, or a branch of a choice in it."""

    rule: str
    what: str
    location: Location


@dataclass(slots=True)
class Trace:
    """The points of a rule set, numbered in the order in which they were written."""

    points: list[Point] = field(default_factory=list)
    _numbers: dict[Point, int] = field(default_factory=dict)

    def matched(self, rule: RulePlan) -> str:
        """Return the line of code that notes that a rule matched."""
        return self._line(Point(rule.name, "matched", rule.document.locate((*rule.path, "name"))))

    def branch(self, rule: RulePlan, expression: Expression | None, node: Node, branch: str) -> str:
        """Return the line of code that notes that a branch of a choice was taken."""
        location = expression.locate(node.offset) if expression else rule.document.locate(rule.path)
        return self._line(Point(rule.name, f"{node.value}() {branch}", location))

    def _line(self, point: Point) -> str:
        number = self._numbers.setdefault(point, len(self.points))
        if number == len(self.points):
            self.points.append(point)
        return f"if run.hits is not None: run.hits.add({number})"
