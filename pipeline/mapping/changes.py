"""What an edit of a mapping changes: rules, and the ids of events, on which counting once depends."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.calls import COUNTED_KINDS
from pipeline.documents import Level, Location, Problem
from pipeline.mapping.plan import CallPlan, RulePlan
from pipeline.mapping.ruleset import RuleSet
from pipeline.mapping.templates import Expression, Template, Tree


def changes(old: RuleSet, new: RuleSet) -> list[Problem]:
    """Return a warning for each rule, and for each call whose events get other ids, that differs."""
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    problems: list[Problem] = []
    for rule_id, rule in after.items():
        if rule_id not in before:
            problems.append(_at(rule, "rule-added", f"rule '{rule.name}' is new"))
        else:
            problems += _changes(before[rule_id], rule)
    problems += [_removed(rule, new) for rule_id, rule in before.items() if rule_id not in after]
    return problems


def _changes(old: RulePlan, new: RulePlan) -> Iterator[Problem]:
    if _content(old) != _content(new):
        yield _at(new, "rule-changed", f"rule '{new.name}' does something else now")
    before, after = _event_ids(old), _event_ids(new)
    for key in sorted(before.keys() | after.keys()):
        if key in before and key in after and before[key] == after[key]:
            continue
        kind, name, number = key
        call = f"{kind} '{name}'" + (f" number {number + 1}" if number else "")
        what = (
            "get other ids" if key in before and key in after else "are new" if key in after else "are gone"
        )
        yield _at(new, "event-id-changed", f"the events of {call} in rule '{new.name}' {what}")


def _removed(rule: RulePlan, new: RuleSet) -> Problem:
    file = next(iter(new.files), rule.document.file)
    return Problem(Location(file), Level.WARNING, "rule-removed", f"rule '{rule.name}' is gone")


def _at(rule: RulePlan, code: str, text: str) -> Problem:
    return rule.document.problem(rule.document.locate((*rule.path, "name")), code, text, Level.WARNING)


def _event_ids(rule: RulePlan) -> Mapping[tuple[str, str, int], tuple[Any, ...]]:
    """Return what the ids of each counted call of a rule depend on beside the record."""
    element = (_text(rule.for_each), _typed(rule.key)) if rule.for_each is not None else None
    numbers: Counter[tuple[str, str]] = Counter()
    found = {}
    sole = len(rule.calls) == 1
    for call in rule.calls:
        if call.kind in COUNTED_KINDS:
            key = (str(call.kind), _text(call.name).strip())
            own = _text(call.event_id)
            found[*key, numbers[key]] = (element, own, sole if call.event_id is not None else None)
            numbers[key] += 1
    return found


def _content(rule: RulePlan) -> tuple[Any, ...]:
    return (
        _text(rule.when) if rule.when is not None else rule.never,
        _text(rule.for_each),
        _typed(rule.key),
        rule.stop,
        rule.on_error,
        tuple(_call_content(call) for call in rule.calls),
    )


def _call_content(call: CallPlan) -> tuple[Any, ...]:
    return (
        call.kind,
        tuple((kind, _text(value)) for kind, value in call.identity),
        *(_text(tree) for tree in (call.name, call.event_id)),
        *(_typed(tree) for tree in (call.timestamp, call.start, dict(call.attributes), dict(call.options))),
        call.omit,
        call.keep_nulls,
        call.convert_timestamps,
        call.long_names,
    )


def _text(tree: Tree) -> str:
    """Return a value as it would be written, where text and number mean the same: identities, names, event ids."""
    if isinstance(tree, str):
        return tree.replace("${", "$${")
    if isinstance(tree, Expression):
        return f"${{{tree.text}}}"
    if isinstance(tree, Template):
        return "".join(_text(part) for part in tree.parts)
    return _typed(tree)


def _typed(tree: Tree) -> str:
    """Return a value as it would be written, with quotes around text: `"1"` is not `1`."""
    if isinstance(tree, str | Template):
        return repr(_text(tree))
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{name!r}: {_typed(part)}" for name, part in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(_typed(part) for part in tree) + "]"
    return _text(tree) if isinstance(tree, Expression) else repr(tree)
