"""Rules to Python source: one function that takes an event through all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.calls import COUNTED_KINDS, CallKind, CallSource
from pipeline.documents import Problem
from pipeline.mapping import building
from pipeline.mapping.building import CallSpec
from pipeline.mapping.call_writer import CallWriter
from pipeline.mapping.expression import Compiler, ExpressionError, Node, Writer
from pipeline.mapping.expression.paths import can_fail, root_paths
from pipeline.mapping.plan import CallPlan, RulePlan
from pipeline.mapping.templates import Expression, Template, Tree
from pipeline.mapping.trace import Trace


class RuleCompiler:
    """Writes rules to a `Writer` and collects what cannot be compiled."""

    def __init__(self, writer: Writer, environment: Mapping[str, str], trace: Trace | None = None) -> None:
        self.problems: dict[tuple[Any, str], Problem] = {}
        self._writer = writer
        self._trace = trace
        self._expression: Expression | None = None
        self._environment = environment
        self._labels: dict[int, str] = {}
        self._actions: dict[str, str] = {}
        writer.constants.update(building.NAMESPACE)

    def write_function(self, name: str, rules: Sequence[RulePlan], shared: Sequence[RulePlan] = ()) -> None:
        """Write a function that applies these rules, in this order, and returns whether one matched.

        What the `shared` ones do is written once, for all functions.
        """
        names = {rule.name for rule in shared}
        for rule in shared:
            self._write_actions(rule)
        with self._writer.body(name, "root, record, run") as made:
            made.contexts.update({"root", "record"})
            self._look_up_shared([rule.when for rule in rules])
            self._writer.line("matched = False")
            for rule in rules:
                self._rule(rule, shared=rule.name in names)
            self._writer.line("return matched")

    def write_choice(
        self, name: str, path: tuple[str, ...], table: Mapping[str, Any], otherwise: str
    ) -> None:
        """Write a function that hands on to the function which `table` has for the text at `path`."""
        with self._writer.body(name, "root, record, run"):
            current = "root"
            for part in path:
                current = Compiler(self._writer).field(current, part)
            found = f"{self._writer.constant(table, 'table')}.get({current}, {otherwise})"
            self._writer.line(f"chosen = {found} if type({current}) is str else {otherwise}")
            self._writer.line("return chosen(root, record, run)")

    def _write_actions(self, rule: RulePlan) -> None:
        if rule.name in self._actions:
            return
        name = self._writer.fresh("actions_")
        self._actions[rule.name] = name
        with self._writer.body(name, "root, record, run") as made:
            made.contexts.update({"root", "record"})
            self._act(rule, self._compiler(rule))

    def finish(self) -> None:
        """Fill in what the lines of the text serve; the text must be complete."""
        self._labels.update(self._writer.labels())

    def _compiler(self, rule: RulePlan) -> Compiler:
        trace = self._trace

        def note(node: Node, branch: str) -> str:
            assert trace is not None
            return trace.branch(rule, self._expression, node, branch)

        return Compiler(
            self._writer,
            environment=self._environment,
            fan_out=rule.for_each is not None,
            branch=note if trace else None,
        )

    def _rule(self, rule: RulePlan, *, shared: bool) -> None:
        if rule.never:
            return
        compiler = self._compiler(rule)
        if rule.when is None:
            self._matched(rule, compiler, shared=shared)
            return
        condition = self._condition(rule, compiler)
        with self._writer.block(f"if {condition}:"):
            self._matched(rule, compiler, shared=shared)

    def _condition(self, rule: RulePlan, compiler: Compiler) -> str:
        assert rule.when is not None
        if not can_fail(rule.when.node):
            return self._truth(rule.when, compiler)
        met = self._writer.assign("False", "m")
        self._writer.label = "when"
        with self._writer.block("try:"):
            self._writer.line(f"{met} = {self._truth(rule.when, compiler)}")
        with self._writer.block("except Exception as error:"):
            self._writer.line("matched = True")
            self._writer.line(f"fail(run, {self._spec(rule, None)}, error)")
            if rule.stop and rule.on_error == "dead_letter":
                self._writer.line("return True")  # what a filter cannot judge must not pass it
        self._writer.label = None
        return met

    def _truth(self, expression: Expression, compiler: Compiler) -> str:
        self._expression = expression
        try:
            return compiler.truth(compiler.value(expression.node, "root"))
        except ExpressionError as error:
            self._report(expression, error)
            return "False"

    def _matched(self, rule: RulePlan, compiler: Compiler, *, shared: bool) -> None:
        self._writer.line("matched = True")
        if self._trace is not None:
            self._writer.line(self._trace.matched(rule))
        if shared:
            self._writer.line(f"{self._actions[rule.name]}(root, record, run)")
        else:
            self._act(rule, compiler)
        if rule.stop:
            self._writer.line("return True")

    def _act(self, rule: RulePlan, compiler: Compiler) -> None:
        self._look_up_shared([part for call in rule.calls for part in expressions(call)], compiler)
        if rule.for_each is None:
            self._calls(rule, compiler, None)
        else:
            self._fan_out(rule, rule.for_each, compiler)

    def _fan_out(self, rule: RulePlan, for_each: Expression, compiler: Compiler) -> None:
        writer, spec = self._writer, self._spec(rule, None)
        found = writer.assign("()")
        with writer.block("try:"):
            writer.label = "for_each"
            writer.line(f"{found} = elements({self.tree(for_each, compiler)})")
            writer.label = None
        with writer.block("except Exception as error:"):
            writer.line(f"fail(run, {spec}, error)")
        if rule.key is not None:
            writer.line("keys = set()")
        with writer.block(f"for index, item in enumerate({found}):"):
            writer.function.contexts.update({"item", "index"})
            writer.line("run.check_number()")
            if rule.key is None:
                self._calls(rule, compiler, "index")
                return
            with writer.block("try:"):
                writer.label = "key"
                writer.line(f"element = element_key({self.tree(rule.key, compiler)}, keys)")
                writer.label = None
            with writer.block("except Exception as error:"):
                writer.line(f"fail(run, {spec}, error, index)")
                writer.line("continue")
            self._calls(rule, compiler, "element")

    def _calls(self, rule: RulePlan, compiler: Compiler, element: str | None) -> None:
        counted: Counter[tuple[CallKind, str | None]] = Counter()
        dynamic = _needs_counting(rule.calls)
        if dynamic:
            self._writer.line("seen = {}")
        for call in rule.calls:
            name = call.name.strip() if isinstance(call.name, str) else None
            source = CallSource(rule.id, call.kind, name, counted[call.kind, name])
            counted[call.kind, name] += 1
            sole = len(rule.calls) == 1 and element is None
            spec = self._spec(rule, source)
            CallWriter(self, self._writer, compiler, rule, call).write(
                source, spec, element=element, sole=sole, counting=call.kind in dynamic
            )

    def _spec(self, rule: RulePlan, source: CallSource | None) -> str:
        if source is None and rule.calls:
            source = CallSource(rule.id, rule.calls[0].kind)
        return self._writer.constant(CallSpec(rule.id, source, rule.on_error, self._labels), "spec")

    def _look_up_shared(self, parts: Sequence[Expression | None], compiler: Compiler | None = None) -> None:
        """Look up what several expressions need before the first of them, where it holds for all."""
        compiler = compiler or Compiler(self._writer)
        uses = Counter(path for part in parts if part is not None for path in root_paths(part.node))
        for path in sorted(path for path, count in uses.items() if count > 1):
            current = "root"
            for name in path:
                current = compiler.field(current, name)

    def tree(self, tree: Tree, compiler: Compiler, *, keep_nulls: bool = False) -> str:
        """Write what a value of a rule needs and return its code, to be evaluated once.

        Objects that the rule itself writes lose the fields that turn out null, unless they are kept.
        """
        if isinstance(tree, Expression):
            self._expression = tree
            try:
                return compiler.value(tree.node, "root").code
            except ExpressionError as error:
                self._report(tree, error)
                return "None"
        if isinstance(tree, Template):
            return self._template(tree, compiler)
        if isinstance(tree, dict):
            parts = ((name, self.tree(part, compiler, keep_nulls=keep_nulls)) for name, part in tree.items())
            inner = ", ".join(f"{name!r}: {part}" for name, part in parts)
            return f"without_nulls({{{inner}}})" if is_dynamic(tree) and not keep_nulls else f"{{{inner}}}"
        if isinstance(tree, list):
            return f"[{', '.join(self.tree(part, compiler, keep_nulls=keep_nulls) for part in tree)}]"
        return repr(tree)

    def _template(self, template: Template, compiler: Compiler) -> str:
        parts, names = [], []
        for part in template.parts:
            if isinstance(part, str):
                parts.append(repr(part))
                continue
            name = self._writer.assign(self.tree(part, compiler))
            names.append(name)
            parts.append(f"({name} if type({name}) is str else to_string({name}))")
        present = " and ".join(f"{name} is not None" for name in names)
        return f"({' + '.join(parts)} if {present} else None)"

    def _report(self, expression: Expression, error: ExpressionError) -> None:
        problem = expression.problem(error)
        self.problems[problem.location, problem.text] = problem


def is_dynamic(tree: Tree) -> bool:
    """Tell whether a value depends on the event."""
    if isinstance(tree, dict):
        return any(is_dynamic(part) for part in tree.values())
    if isinstance(tree, list):
        return any(is_dynamic(part) for part in tree)
    return isinstance(tree, Expression | Template)


def expressions(call: CallPlan) -> list[Expression]:
    """Return every expression in a call."""
    found: list[Expression] = []
    stack: list[Tree] = [
        dict(call.options),
        dict(call.attributes),
        call.start,
        call.event_id,
        call.name,
        call.timestamp,
        *(value for _, value in call.identity),
    ]
    while stack:
        tree = stack.pop()
        if isinstance(tree, Expression):
            found.append(tree)
        elif isinstance(tree, Template):
            stack.extend(reversed(tree.parts))
        elif isinstance(tree, dict):
            stack.extend(reversed(tree.values()))
        elif isinstance(tree, list):
            stack.extend(reversed(tree))
    return found


def _needs_counting(calls: Sequence[CallPlan]) -> set[CallKind]:
    """Return the kinds of which several calls may turn out to have one name."""
    kinds = Counter(call.kind for call in calls if call.kind in COUNTED_KINDS)
    return {call.kind for call in calls if kinds[call.kind] > 1 and is_dynamic(call.name)}
