"""Which rules an event can match at all, found by one look-up.

Many rules ask that one field has one of some texts. The field that most rules ask for becomes the index: for each of
its texts there is one generated function with the rules that can still match, in the order of the files.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.mapping.compile import RuleCompiler
from pipeline.mapping.expression.syntax import Node, field_path, is_call, walk
from pipeline.mapping.plan import RulePlan

Path = tuple[str, ...]
Needs = Mapping[Path, frozenset[str]]
_FEWEST = 2  # an index over one rule saves nothing
_SHARED_BY = 4  # a rule in this many buckets is written once and called


def needs(node: Node) -> Needs:
    """Return the texts that paths must have for a condition to hold; no texts at all mean that it never holds."""
    if node.kind == "comparator" and node.value == "eq":
        return _equality(*node.children)
    if node.kind == "and_expression":
        return _all_of([needs(child) for child in node.children])
    if node.kind == "or_expression":
        return _one_of([needs(child) for child in node.children])
    if is_call(node, "contains"):
        table, wanted = node.children
        path = field_path(wanted)
        if table.kind == "literal" and type(table.value) is list and path is not None:
            texts = frozenset(value for value in table.value if type(value) is str)
            return {path: texts} if len(texts) == len(table.value) else {}
    return {}


def _equality(left: Node, right: Node) -> Needs:
    path, text = (left, right) if right.kind == "literal" else (right, left)
    found = field_path(path)
    if found is None or text.kind != "literal" or type(text.value) is not str:
        return {}
    return {found: frozenset({text.value})}


def _all_of(parts: Sequence[Needs]) -> Needs:
    merged: dict[Path, frozenset[str]] = {}
    for part in parts:
        for path, texts in part.items():
            merged[path] = merged[path] & texts if path in merged else texts
    return merged


def _one_of(parts: Sequence[Needs]) -> Needs:
    shared = set(parts[0]).intersection(*parts[1:])
    return {path: frozenset().union(*(part[path] for part in parts)) for path in shared}


def asks_for_tombstones(rule: RulePlan) -> bool:
    """Tell whether a rule's condition reads ``kafka().tombstone``; only such a rule sees a record without a value."""
    if rule.when is None:
        return False
    return any(
        is_call(left, "kafka") and right.kind == "field" and right.value == "tombstone"
        for node in walk(rule.when.node)
        if node.kind == "subexpression"
        for left, right in zip(node.children, node.children[1:], strict=False)
    )


@dataclass(frozen=True, slots=True)
class Index:
    """`path` is looked up; `buckets` has the rules for each text, `rest` those for any other value."""

    path: Path
    buckets: Mapping[str, tuple[int, ...]]
    rest: tuple[int, ...]

    @property
    def indexed(self) -> int:
        """How many rules are only in some buckets."""
        return len({rule for bucket in self.buckets.values() for rule in bucket} - set(self.rest))


def index_of(rules: Sequence[RulePlan]) -> Index | None:
    """Return the index over the path that most rules ask for, None if it would save nothing."""
    wanted = [needs(rule.when.node) if rule.when is not None else {} for rule in rules]
    uses = Counter(path for need in wanted for path in need)
    if not uses:
        return None
    path, count = max(uses.items(), key=lambda use: (use[1], -len(use[0]), use[0]))
    if count < _FEWEST:
        return None
    texts = sorted(frozenset().union(*(need[path] for need in wanted if path in need)))
    buckets = {
        text: tuple(n for n, need in enumerate(wanted) if path not in need or text in need[path])
        for text in texts
    }
    return Index(path, buckets, tuple(n for n, need in enumerate(wanted) if path not in need))


Bucket = Callable[[Any, Any, Any], bool]


@dataclass(slots=True)
class Dispatch:
    """Writes the functions of a rule set: `apply` and `apply_tombstone`."""

    compiler: RuleCompiler
    rules: Sequence[RulePlan]
    index: Index | None = None
    table: dict[str, Bucket] = field(default_factory=dict)
    _names: dict[tuple[int, ...], str] = field(default_factory=dict)

    def write(self) -> None:
        """Write them."""
        self.compiler.write_function(
            "apply_tombstone", [rule for rule in self.rules if asks_for_tombstones(rule)]
        )
        self.index = index_of(self.rules)
        if self.index is None:
            self.compiler.write_function("apply", self.rules)
            return
        buckets = [*self.index.buckets.values(), self.index.rest]
        appearances = Counter(number for bucket in set(buckets) for number in bucket)
        shared = frozenset(number for number, count in appearances.items() if count >= _SHARED_BY)
        for bucket in buckets:
            self._write_bucket(bucket, shared)
        self.compiler.write_choice("apply", self.index.path, self.table, self._names[self.index.rest])

    def _write_bucket(self, bucket: tuple[int, ...], shared: frozenset[int]) -> None:
        if bucket in self._names:
            return
        self._names[bucket] = f"bucket_{len(self._names)}"
        self.compiler.write_function(
            self._names[bucket],
            [self.rules[number] for number in bucket],
            [self.rules[n] for n in bucket if n in shared],
        )

    def connect(self, functions: Mapping[str, Any]) -> None:
        """Fill the table that `apply` looks into with the functions that were made."""
        if self.index is not None:
            self.table.update(
                {text: functions[self._names[rules]] for text, rules in self.index.buckets.items()}
            )
