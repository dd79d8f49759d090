"""Why an event gave the calls it gave: each rule's condition part by part, each field's expression and value."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.mapping.cases import shown
from pipeline.mapping.dispatch import asks_for_tombstones
from pipeline.mapping.expression import EvaluationError, ExpressionError, evaluator, parse_expression
from pipeline.mapping.expression.syntax import Node
from pipeline.mapping.plan import CallPlan, RulePlan
from pipeline.mapping.ruleset import RuleSet
from pipeline.mapping.templates import Expression, Template, Tree
from pipeline.records import Record

_LONGEST = 160
_MOST_ELEMENTS = 20


class Verdict(StrEnum):
    """What became of a rule."""

    MATCHED = "matched"
    NOT_MATCHED = "not matched"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """One rule: what became of it, why in a few words where the condition does not say it, and all of its parts."""

    rule: RulePlan
    verdict: Verdict
    why: str | None = None
    details: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield it as text."""
        yield f"rule {self.rule.name}: {self.verdict}" + ("" if self.why is None else f", {self.why}")
        yield from self.details


class Explainer:
    """Explains what a rule set makes of one event."""

    def __init__(
        self,
        rules: RuleSet,
        event: Any,
        record: Record,
        now: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._rules, self._event, self._record, self._now = rules, event, record, now
        self._environment = os.environ if environment is None else environment
        self._element: tuple[Any, int | None] = (None, None)

    def lines(self) -> Iterator[str]:
        """Yield the explanation, line by line."""
        for rule in self.rules():
            yield from rule.lines()
        yield from self._outcome()

    def rules(self) -> Iterator[ExplainedRule]:
        """Yield what became of each rule, in their order."""
        ended_by: str | None = None
        for rule in self._rules.rules:
            if ended_by is not None:
                yield ExplainedRule(rule, Verdict.NOT_TRIED, f"because rule {ended_by} ended the event")
                continue
            explained = self._rule(rule)
            if explained.verdict is Verdict.MATCHED and rule.stop:
                ended_by = rule.name
            yield explained

    def _rule(self, rule: RulePlan) -> ExplainedRule:
        if rule.never:
            return ExplainedRule(rule, Verdict.NOT_MATCHED, "its condition is false")
        if self._record.value is None and not asks_for_tombstones(rule):
            why = "because the record is a tombstone and the rule does not ask for it"
            return ExplainedRule(rule, Verdict.NOT_TRIED, why)
        condition = () if rule.when is None else tuple(self._condition(rule.when))
        if rule.when is not None and not self._holds(rule.when.node):
            return ExplainedRule(rule, Verdict.NOT_MATCHED, details=condition)
        return ExplainedRule(rule, Verdict.MATCHED, details=(*condition, *self._calls(rule)))

    def _condition(self, when: Expression) -> Iterator[str]:
        parts = _parts(when.text)
        if len(parts) == 1:
            yield f"    {when.text} = {self._evaluated(when)}"
            return
        for part in parts:
            yield f"    {part} = {self._text_evaluated(part)}"

    def _calls(self, rule: RulePlan) -> Iterator[str]:
        if rule.for_each is None:
            for call in rule.calls:
                yield from self._call(call)
            return
        yield f"  for each of {rule.for_each.text} = {self._evaluated(rule.for_each)}"
        elements = self._elements(rule.for_each)
        for index, item in enumerate(elements[:_MOST_ELEMENTS]):
            self._element = (item, index)
            yield f"  element {index} = {_json(item)}"
            yield from self._field("key", rule.key)
            for call in rule.calls:
                yield from self._call(call)
        self._element = (None, None)
        if len(elements) > _MOST_ELEMENTS:
            yield f"  and {len(elements) - _MOST_ELEMENTS} more elements"

    def _elements(self, for_each: Expression) -> list[Any]:
        try:
            found = self._value(for_each.node)
        except EvaluationError:
            return []
        return found if isinstance(found, list) else []

    def _call(self, call: CallPlan) -> Iterator[str]:
        yield f"  {call.kind}"
        fields: list[tuple[str, Tree]] = [(str(kind), tree) for kind, tree in call.identity]
        fields += [
            ("name", call.name),
            ("timestamp", call.timestamp),
            ("event_id", call.event_id),
            ("from", call.start),
        ]
        fields += [(f"attributes.{name}", tree) for name, tree in call.attributes.items()]
        fields += list(call.options.items())
        for name, tree in fields:
            yield from self._field(name, tree)

    def _field(self, name: str, tree: Tree) -> Iterator[str]:
        if isinstance(tree, Expression):
            yield f"    {name}: ${{{tree.text}}} = {self._evaluated(tree)}"
        elif isinstance(tree, Template):
            for part in tree.parts:
                if isinstance(part, Expression):
                    yield f"    {name}: ...${{{part.text}}}... = {self._evaluated(part)}"
        elif isinstance(tree, dict):
            for inner, part in tree.items():
                yield from self._field(f"{name}.{inner}", part)
        elif isinstance(tree, list):
            for number, part in enumerate(tree):
                yield from self._field(f"{name}[{number}]", part)
        elif tree is not None:
            yield f"    {name}: {_json(tree)}"

    def _outcome(self) -> Iterator[str]:
        mapped = self._rules.map(self._event, self._record, self._now)
        yield f"calls: {len(mapped.calls)}"
        for call in mapped.calls:
            yield f"  {json.dumps(shown(call), ensure_ascii=False)}"
        for failure in mapped.failures:
            yield f"failure {failure.reason}: {failure.source or 'the event'}: {failure.text}"
        if not mapped.matched:
            yield "no rule matched"

    def _evaluated(self, expression: Expression) -> str:
        return self._node_evaluated(expression.node)

    def _text_evaluated(self, text: str) -> str:
        try:
            return self._node_evaluated(parse_expression(text))
        except ExpressionError as error:
            return f"({error})"

    def _node_evaluated(self, node: Node) -> str:
        try:
            return _json(self._value(node))
        except EvaluationError as error:
            return f"error: {error}"

    def _value(self, node: Node) -> Any:
        return evaluator(node, self._environment)(self._event, self._record, *self._element)

    def _holds(self, node: Node) -> bool:
        try:
            return self._value(Node("not_expression", (node,))) is False
        except EvaluationError:
            return False


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def _parts(text: str) -> list[str]:
    """Divide a condition at each && that is not inside brackets or quotes; one with || at that level stays whole."""
    parts, depth, at, start = [], 0, 0, 0
    while at < len(text):
        character = text[at]
        if character in "'\"`":
            end = text.find(character, at + 1)
            at = len(text) if end < 0 else end
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith("||", at):
            return [text]
        elif depth == 0 and text.startswith("&&", at):
            parts.append(text[start:at].strip())
            start = at + 2
            at += 1
        at += 1
    return [*parts, text[start:].strip()]
