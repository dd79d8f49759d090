"""What is valid and would still surprise: rules that do nothing, texts that were meant as expressions."""

import re
from collections.abc import Iterator, Sequence

from pipeline.calls import CallKind
from pipeline.documents import KeyPath, Level, Problem
from pipeline.mapping.cases import Suite, run_case
from pipeline.mapping.compile import expressions
from pipeline.mapping.coverage import coverage
from pipeline.mapping.dispatch import asks_for_tombstones, needs
from pipeline.mapping.expression.paths import root_paths
from pipeline.mapping.expression.syntax import Node, walk
from pipeline.mapping.plan import CallPlan, RulePlan
from pipeline.mapping.ruleset import RuleSet
from pipeline.mapping.templates import Tree

_MANY_RULES = 20
_FOREIGN = re.compile(r"^\s*(\$\.|\$\[|\{\{|this\.|\.\w+)|\{\{.*\}\}")
_PATH = re.compile(r"^([A-Za-z_]\w*)(\.[A-Za-z_]\w*)+$")


def lint(suites: Sequence[Suite], together: RuleSet | None = None) -> list[Problem]:
    """Return warnings about rule sets that compile; `together` holds the rules of all of them as one set."""
    problems: list[Problem] = [] if together is None else lint_rules(together)
    reached: set[tuple[str, str]] = set()
    for suite in suites:
        if together is None:
            problems += lint_rules(suite.rules)
        reached |= _reached(suite)
    for suite in suites:
        problems += [problem for document in suite.rules.documents for problem in document.warnings]
        problems += _untested(suite.rules, reached)
    return list({(problem.location, problem.code): problem for problem in problems}.values())


def lint_rules(rules: RuleSet) -> list[Problem]:
    """Return warnings about rules alone."""
    known = frozenset(path[0] for rule in rules.rules for path in _paths(rule))
    problems = [problem for rule in rules.rules for problem in _rule_problems(rule, known)]
    return [*problems, *_shadowed(rules.rules), *_not_indexed(rules)]


def _rule_problems(rule: RulePlan, known: frozenset[str]) -> Iterator[Problem]:
    document = rule.document
    if rule.never or (rule.when is not None and any(not texts for texts in needs(rule.when.node).values())):
        where = document.locate((*rule.path, "when"))
        yield document.problem(where, "never-matches", f"rule '{rule.name}' can never match", Level.WARNING)
    compared = _compared_texts(rule)
    for call in rule.calls:
        if not call.identity and call.kind is not CallKind.RAW:
            text = f"this {call.kind} has no way to name a person: give it an id, or one under defaults"
            yield document.problem(document.locate(call.path, key=True), "no-identity", text, Level.WARNING)
        for path, text in _texts(call):
            if text not in compared and (_FOREIGN.search(text) or _is_known_path(text, known)):
                shown = (
                    "this text looks like an expression: write it in ${ }, or leave it if it is meant as text"
                )
                yield document.problem(document.locate(path), "looks-like-expression", shown, Level.WARNING)


def _compared_texts(rule: RulePlan) -> frozenset[str]:
    """Return the texts in a rule's condition: `user.created` beside `type == 'user.created'` is no path."""
    nodes = walk(rule.when.node) if rule.when is not None else ()
    return frozenset(node.value for node in nodes if node.kind == "literal" and type(node.value) is str)


def _is_known_path(text: str, known: frozenset[str]) -> bool:
    match = _PATH.match(text)
    return match is not None and match[1] in known


def _texts(call: CallPlan) -> Iterator[tuple[KeyPath, str]]:
    """Yield the constant texts of a call with their places."""
    stack: list[tuple[KeyPath, Tree]] = [
        ((*call.path, "attributes"), dict(call.attributes)),
        ((*call.path, "name"), call.name),
        *(((*call.path, str(kind)), value) for kind, value in call.identity),
        ((*call.path, "timestamp"), call.timestamp),
        ((*call.path, "event_id"), call.event_id),
        ((*call.path, "from"), call.start),
    ]
    while stack:
        path, tree = stack.pop()
        if isinstance(tree, str):
            yield path, tree
        elif isinstance(tree, dict):
            stack.extend(((*path, name), part) for name, part in tree.items())
        elif isinstance(tree, list):
            stack.extend(((*path, index), part) for index, part in enumerate(tree))


def _paths(rule: RulePlan) -> Iterator[tuple[str, ...]]:
    for expression in (
        rule.when,
        rule.for_each,
        *(part for call in rule.calls for part in expressions(call)),
    ):
        if expression is not None:
            yield from root_paths(expression.node)


def _shadowed(rules: Sequence[RulePlan]) -> Iterator[Problem]:
    for number, rule in enumerate(rules):
        for earlier in rules[:number]:
            if earlier.stop and not earlier.never and _covers(earlier, rule):
                text = f"rule '{earlier.name}' stops every event that rule '{rule.name}' could match"
                location = rule.document.locate((*rule.path, "name"))
                yield rule.document.problem(location, "shadowed", text, Level.WARNING)
                break


def _covers(earlier: RulePlan, later: RulePlan) -> bool:
    """Tell whether an earlier condition certainly holds where a later one does."""
    if asks_for_tombstones(earlier) != asks_for_tombstones(later):
        return False
    if earlier.when is None:
        return True
    if later.when is None:
        return False
    wanted = {_bare(node) for node in _conjuncts(later.when.node)}
    if all(_bare(node) in wanted for node in _conjuncts(earlier.when.node)):
        return True
    ours, theirs = needs(earlier.when.node), needs(later.when.node)
    if len(ours) != 1 or not _only_equalities(earlier.when.node):
        return False
    ((path, texts),) = ours.items()
    return path in theirs and theirs[path] <= texts


def _conjuncts(node: Node) -> tuple[Node, ...]:
    return node.children if node.kind == "and_expression" else (node,)


def _only_equalities(node: Node) -> bool:
    if node.kind == "or_expression":
        return all(_only_equalities(child) for child in node.children)
    return node.kind in {"comparator", "function_expression"} and bool(needs(node))


def _bare(node: Node) -> tuple[object, ...]:
    """Return a node without places, for comparison."""
    return (node.kind, repr(node.value), tuple(_bare(child) for child in node.children))


def _not_indexed(rules: RuleSet) -> Iterator[Problem]:
    if rules.index is None or len(rules.rules) < _MANY_RULES:
        return
    for number in rules.index.rest:
        rule = rules.rules[number]
        text = (
            f"rule '{rule.name}' is tried on every event: its condition does not ask for a text of "
            + ".".join(rules.index.path)
        )
        yield rule.document.problem(
            rule.document.locate((*rule.path, "name")), "not-indexed", text, Level.WARNING
        )


def _reached(suite: Suite) -> set[tuple[str, str]]:
    """Return file and name of each rule that a test of a suite makes match."""
    results = [run_case(suite.rules, case) for case in suite.cases]
    missed = {point.rule for point in coverage(suite.rules, results).missed if point.what == "matched"}
    return {(rule.document.file, rule.name) for rule in suite.rules.rules if rule.name not in missed}


def _untested(rules: RuleSet, reached: set[tuple[str, str]]) -> Iterator[Problem]:
    for rule in rules.rules:
        if (rule.document.file, rule.name) not in reached and not rule.never:
            location = rule.document.locate((*rule.path, "name"))
            text = f"no test makes rule '{rule.name}' match"
            yield rule.document.problem(location, "no-test", text, Level.WARNING)
