"""One call of a rule to Python source."""

from typing import TYPE_CHECKING

from pipeline.calls import COUNTED_KINDS, CallKind, CallSource, IdentityKind
from pipeline.mapping.expression import Compiler, Writer
from pipeline.mapping.plan import CallPlan, RulePlan
from pipeline.mapping.rules import OnError
from pipeline.mapping.templates import Tree

if TYPE_CHECKING:
    from pipeline.mapping.compile import RuleCompiler

_TIMED = COUNTED_KINDS | {CallKind.IDENTIFY}


class CallWriter:
    """Writes the statements that build one call and add it to the run."""

    def __init__(
        self, rules: "RuleCompiler", writer: Writer, compiler: Compiler, rule: RulePlan, call: CallPlan
    ) -> None:
        self._rules, self._writer, self._compiler = rules, writer, compiler
        self._rule, self._call = rule, call

    def write(
        self, source: CallSource, spec: str, *, element: str | None, sole: bool, counting: bool
    ) -> None:
        """Write the call; `counting` tells that its ordinal is known only when its name is."""
        writer, call = self._writer, self._call
        named_by_event = call.kind in COUNTED_KINDS and source.name is None
        known = writer.assign("None", "source") if counting or named_by_event else ""
        with writer.block("try:"):
            name = self._name()
            made = self._source(source, name, element, counting=counting)
            if known:
                writer.line(f"{known} = {made}")
            who = self._identity(dict(call.identity))
            timestamp = self._timestamp() if call.kind in _TIMED else "None"
            attributes = self._attributes(who) if call.kind in _TIMED else "{}"
            event_id = self._labelled("event_id", call.event_id, "event_id({})")
            secondary = self._secondary()
            options = self._options()
            writer.line(
                f"add_call(run, {spec}, Call({made}, {who}, {attributes}, {name}, {timestamp}, {event_id}, "
                f"{sole}, {secondary}, {options}))"
            )
        with writer.block("except Exception as error:"):
            writer.line(f"fail(run, {spec}, error, {element}{f', {known}' if known else ''})")

    def _value(self, tree: Tree) -> str:
        kept = self._call.keep_nulls or self._call.kind is CallKind.RAW
        return self._rules.tree(tree, self._compiler, keep_nulls=kept)

    def _labelled(self, label: str, tree: Tree, wrapped: str = "{}") -> str:
        """Write a value under a label and return the name that holds it."""
        if tree is None:
            return "None"
        self._writer.label = label
        code = wrapped.format(self._value(tree))
        name = code if code.isidentifier() else self._writer.assign(code)
        self._writer.label = None
        return name

    def _name(self) -> str:
        call = self._call
        if call.kind not in COUNTED_KINDS:
            return "None"
        if isinstance(call.name, str):
            return repr(call.name.strip())
        policy = self._writer.constant(call.long_names, "policy")
        return self._labelled("name", call.name, f"event_name({{}}, {policy})")

    def _source(self, source: CallSource, name: str, element: str | None, *, counting: bool) -> str:
        if element is None and (name == "None" or source.name is not None) and not counting:
            return self._writer.constant(source, "source")
        kind = self._writer.constant(source.kind, "kind")
        number = f"ordinal(seen, {kind}, {name})" if counting else str(source.ordinal)
        return self._writer.assign(f"CallSource({source.rule!r}, {kind}, {name}, {number}, {element})")

    def _identity(self, ways: dict[IdentityKind, Tree]) -> str:
        if not ways:
            return "None"
        writer = self._writer
        who = writer.fresh("who")
        for number, (kind, tree) in enumerate(ways.items()):
            if number == 0:
                self._one_identity(who, kind, tree)
                continue
            with writer.block(f"if {who} is None:"):
                self._one_identity(who, kind, tree)
        return who

    def _one_identity(self, who: str, kind: IdentityKind, tree: Tree) -> None:
        value = self._labelled(str(kind), tree)
        name = self._writer.constant(kind, "kind")
        self._writer.line(
            f"{who} = Identity({name}, {value}) if type({value}) is str else "
            f"None if {value} is None else identity({name}, {value})"
        )

    def _timestamp(self) -> str:
        if self._call.timestamp is None:
            return self._writer.assign("run.record_timestamp()", "t")
        value = self._labelled("timestamp", self._call.timestamp)
        return self._writer.assign(
            f"{value} if type({value}) is int and 0 < {value} <= run.latest else run.timestamp({value})", "t"
        )

    def _attributes(self, who: str) -> str:
        call, writer = self._call, self._writer
        if call.start is None:
            attributes = writer.assign("{}", "a")
        else:
            omit = writer.constant(call.omit, "omit")
            first = f"first_attributes({{}}, {omit}, {call.keep_nulls})"
            attributes = self._labelled("from", call.start, first)
        for name, tree in call.attributes.items():
            self._attribute(attributes, name, tree)
        if call.convert_timestamps:
            writer.line(f"{attributes} = with_epochs({attributes})")
        if call.kind is CallKind.IDENTIFY:
            self._lost_visitor(attributes, who)
        return attributes

    def _attribute(self, attributes: str, name: str, tree: Tree) -> None:
        writer = self._writer
        if self._rule.on_error is OnError.SKIP_FIELD:
            with writer.block("try:"):
                self._set_attribute(attributes, name, tree)
            with writer.block("except Exception:"):
                pass
        else:
            self._set_attribute(attributes, name, tree)

    def _set_attribute(self, attributes: str, name: str, tree: Tree) -> None:
        writer = self._writer
        writer.label = f"attributes.{name}"
        value = self._value(tree)
        if not value.isidentifier() and isinstance(tree, str | int | float | bool):
            writer.line(f"{attributes}[{name!r}] = {value}")
        else:
            held = value if value.isidentifier() else writer.assign(value)
            if self._call.keep_nulls:
                writer.line(f"{attributes}[{name!r}] = {held}")
            else:
                writer.line(f"if {held} is not None: {attributes}[{name!r}] = {held}")
                if self._call.start is not None:
                    writer.line(f"elif {name!r} in {attributes}: del {attributes}[{name!r}]")
        writer.label = None

    def _lost_visitor(self, attributes: str, who: str) -> None:
        """Keep a visitor's id that did not name the person: Customer.io joins the visitor's events by it."""
        tree = dict(self._call.identity).get(IdentityKind.ANONYMOUS_ID)
        if tree is None or len(self._call.identity) == 1 or "anonymous_id" in self._call.attributes:
            return
        kind = self._writer.constant(IdentityKind.ANONYMOUS_ID, "kind")
        with self._writer.block(f"if {who} is not None and {who}[0] is not {kind}:"):
            value = self._labelled("anonymous_id", tree)
            self._writer.line(
                f"if {value} is not None: {attributes}.setdefault('anonymous_id', identity({kind}, {value})[1])"
            )

    def _secondary(self) -> str:
        if self._call.kind is not CallKind.MERGE:
            return "None"
        ways = self._call.options["secondary"]
        return self._identity({kind: ways[kind] for kind in IdentityKind if kind in ways})

    def _options(self) -> str:
        options = {
            name: tree for name, tree in self._call.options.items() if name not in {"secondary", "order_by"}
        }
        if self._call.options.get("order_by") is not None:
            options["order_by"] = self._call.options["order_by"]
        if not options:
            return "{}"
        self._writer.label = "options"
        code = self._writer.assign(self._value(options))
        self._writer.label = None
        return code
