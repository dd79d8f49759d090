"""Rules as they are compiled: defaults merged in, expressions parsed, each thing with its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.calls import CallKind, IdentityKind
from pipeline.documents import Document, KeyPath, Problem
from pipeline.mapping.rules import Defaults, Event, LongNames, MappingFile, OnError, Person, Raw, Rule, Timed
from pipeline.mapping.templates import Expression, TemplateReader, Tree

_OPTIONS = ("device", "relationships", "action", "secondary")


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One call of a rule. `identity` is in the order in which the ways to name a person are tried."""

    kind: CallKind
    path: KeyPath
    identity: tuple[tuple[IdentityKind, Tree], ...]
    timestamp: Tree = None
    name: Tree = None
    event_id: Tree = None
    start: Tree = None
    omit: frozenset[str] = frozenset()
    attributes: Mapping[str, Tree] = field(default_factory=dict)
    keep_nulls: bool = False
    convert_timestamps: bool = False
    long_names: LongNames = LongNames.DEAD_LETTER
    options: Mapping[str, Tree] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RulePlan:
    """One rule of one file."""

    document: Document
    path: KeyPath
    name: str
    id: str
    when: Expression | None
    never: bool
    for_each: Expression | None
    key: Tree
    stop: bool
    on_error: OnError
    calls: tuple[CallPlan, ...]


def plan_rules(document: Document, file: MappingFile) -> tuple[list[RulePlan], list[Problem]]:
    """Return the rules of a file and what is wrong in them."""
    reader = TemplateReader(document)
    plans = [
        _Planner(reader, file.defaults, rule, ("rules", index)).plan()
        for index, rule in enumerate(file.rules)
    ]
    return plans, reader.problems


class _Planner:
    def __init__(self, reader: TemplateReader, defaults: Defaults, rule: Rule, path: KeyPath) -> None:
        self._reader, self._defaults, self._rule, self._path = reader, defaults, rule, path

    def plan(self) -> RulePlan:
        rule, path = self._rule, self._path
        calls = [self._call(kind, call, (*path, str(kind))) for kind, call in rule.given()]
        for index, entry in enumerate(rule.calls):
            calls += [
                self._call(kind, call, (*path, "calls", index, str(kind))) for kind, call in entry.given()
            ]
        return RulePlan(
            self._reader.document,
            path,
            rule.name,
            rule.id or rule.name,
            self._reader.expression((*path, "when"), rule.when) if isinstance(rule.when, str) else None,
            rule.when is False,
            self._reader.expression((*path, "for_each"), rule.for_each)
            if rule.for_each is not None
            else None,
            self._reader.tree((*path, "key"), rule.key),
            rule.on_match == "stop",
            rule.on_error,
            tuple(calls),
        )

    def _call(self, kind: CallKind, call: Person, path: KeyPath) -> CallPlan:
        tree = self._reader.tree
        identity = self._identity(call, path)
        if not isinstance(call, Timed):
            return CallPlan(kind, path, identity, options=self._options(call, path))
        return CallPlan(
            kind,
            path,
            identity,
            timestamp=self._or_default(call, path, "timestamp"),
            name=tree((*path, "name"), getattr(call, "name", None)),
            event_id=tree((*path, "event_id"), getattr(call, "event_id", None)),
            start=tree((*path, "from"), call.from_),
            omit=frozenset(call.omit),
            attributes=tree((*path, "attributes"), call.attributes),
            keep_nulls=bool(_first(call.keep_nulls, self._defaults.keep_nulls)),
            convert_timestamps=bool(_first(call.convert_timestamps, self._defaults.convert_timestamps)),
            long_names=self._long_names(call),
            options=self._options(call, path),
        )

    def _identity(self, call: Person, path: KeyPath) -> tuple[tuple[IdentityKind, Tree], ...]:
        kinds = call.identity or self._rule.identity or self._defaults.identity or list(IdentityKind)
        named = [(kind, self._or_default(call, path, str(kind))) for kind in kinds]
        return tuple((kind, value) for kind, value in named if value is not None)

    def _or_default(self, call: Person, path: KeyPath, name: str) -> Tree:
        if name in call.model_fields_set:
            return self._reader.tree((*path, name), getattr(call, name))
        return self._reader.tree(("defaults", name), getattr(self._defaults, name))

    def _long_names(self, call: Timed) -> LongNames:
        own = call.long_names if isinstance(call, Event) else None
        return own or self._defaults.long_names or LongNames.DEAD_LETTER

    def _options(self, call: Person, path: KeyPath) -> dict[str, Tree]:
        if isinstance(call, Raw):
            options = {name: self._reader.tree((*path, name), value) for name, value in call.inputs().items()}
            return {"request": options, "order_by": self._reader.tree((*path, "order_by"), call.order_by)}
        options = {}
        for name in _OPTIONS:
            value = getattr(call, name, None)
            if value is not None:
                plain = value.model_dump(exclude_none=True) if name == "secondary" else value
                options[name] = self._reader.tree((*path, name), plain)
        return options


def _first(*values: bool | None) -> bool | None:
    return next((value for value in values if value is not None), None)


def repeated_names(plans: Sequence[RulePlan]) -> list[Problem]:
    """Return a problem for each rule whose name or id another rule has already."""
    problems: list[Problem] = []
    first: dict[str, RulePlan] = {}
    for plan in plans:
        for what, value in (("name", plan.name), ("id", plan.id)):
            other = first.setdefault(f"{what} {value}", plan)
            if other is not plan:
                where = other.document.locate(other.path)
                text = f"another rule has the {what} '{value}' (at {where.file}:{where.line})"
                location = plan.document.locate((*plan.path, what))
                problems.append(plan.document.problem(location, "duplicate-rule", text))
                break
    return problems
