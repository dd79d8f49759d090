"""The back end: a tree to Python source.

A node becomes the code of its value, and where it needs statements, lines before it. Fields that are looked up on the
same value are looked up once while the lookup still holds.
"""

from collections.abc import Callable, Mapping
from keyword import iskeyword

from pipeline.mapping.expression.forms import FORMS, record_fact
from pipeline.mapping.expression.functions import REGISTRY, Function
from pipeline.mapping.expression.runtime import NAMESPACE, fits
from pipeline.mapping.expression.syntax import ExpressionError, Node, is_call
from pipeline.mapping.expression.value import Value
from pipeline.mapping.expression.writer import Writer

CONTEXTS = ("root", "record", "item", "index")
"""What an expression may read beside its current value: the event, the Kafka record, the element and its index."""

_DEEPEST_BLOCK = 8  # CPython takes 20 nested loops; what is deeper becomes a function of its own
_ORDERINGS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_MIRRORED = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}
_TESTS = {
    "string": "type({0}) is str",
    "number": "(type({0}) is int or type({0}) is float)",
    "array": "type({0}) is list",
    "object": "type({0}) is dict",
    "boolean": "type({0}) is bool",
    "array-number": "all_numbers({0})",
    "array-string": "all_strings({0})",
}


class Compiler:
    """Writes nodes to a `Writer`.

    With `standard` there is no null policy. `environment` answers `env()`. `fan_out` tells whether `item()` means
    anything.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        standard: bool = False,
        environment: Mapping[str, str] | None = None,
        fan_out: bool = False,
        branch: Callable[[Node, str], str] | None = None,
    ) -> None:
        self.writer = writer
        self.standard = standard
        self.environment = environment or {}
        self.fan_out = fan_out
        self._branch = branch
        writer.constants.update(NAMESPACE)

    def value(self, node: Node, current: str) -> Value:
        """Write what a node needs and return its value on the value named `current`."""
        if self.writer.function.depth > _DEEPEST_BLOCK and node.children:
            return self._elsewhere(node, current)
        compile_node = getattr(self, f"_{node.kind}")
        result: Value = compile_node(node, current)
        return result

    def name(self, value: Value) -> str:
        """Return a name that holds a value."""
        named = value.code.isidentifier() and not iskeyword(value.code)  # True is an identifier by that test
        return value.code if named else self.writer.assign(value.code)

    def truth(self, value: Value) -> str:
        """Return a condition: whether JMESPath takes a value for true."""
        if value.kind == "bool":
            return value.code
        if value.kind == "literal":
            truthy = value.literal or (value.literal == 0 and value.literal is not False)
            return "True" if truthy else "False"
        held = self.name(value)
        return f"({held} or {held} == 0 and {held} is not False)"

    def context(self, name: str) -> str:
        """Return the name of a context, noting that this function needs it."""
        self.writer.function.contexts.add(name)
        return name

    def field(self, current: str, name: str) -> str:
        """Return the name that holds a field of the value named `current`."""
        key = (current, name)
        known = self.writer.seen(key)
        if known is not None:
            return known
        fields = self.writer.seen((current, dict)) or self.writer.remember(
            (current, dict), self.writer.assign(f"{current} if type({current}) is dict else NOTHING", "d")
        )
        return self.writer.remember(key, self.writer.assign(f"{fields}.get({name!r})"))

    def mark_branch(self, node: Node, branch: str) -> None:
        """Note, where someone wants to know, that this branch of a choice was taken."""
        if self._branch is not None:
            self.writer.line(self._branch(node, branch))

    def function_of(self, node: Node) -> tuple[str, list[str]]:
        """Write a function of the current value; return its name and the contexts it takes after that."""
        name = self.writer.fresh("f")
        with self.writer.body(name) as made:
            result = self.value(node, "current")
            self.writer.line(f"return {result.code}")
            needed = [context for context in CONTEXTS if context in made.contexts]
            made.parameters = ", ".join(["current", *needed])
        return name, [self.context(context) for context in needed]

    def _elsewhere(self, node: Node, current: str) -> Value:
        name, needed = self.function_of(node)
        return Value(f"{name}({', '.join([current, *needed])})")

    def _identity(self, _node: Node, current: str) -> Value:
        return Value(current)

    _current = _identity

    def _literal(self, node: Node, _current: str) -> Value:
        # a list or an object is written out, so that each evaluation gives a new one
        return Value(repr(node.value), "literal", node.value)

    def _field(self, node: Node, current: str) -> Value:
        return Value(self.field(current, node.value))

    def _subexpression(self, node: Node, current: str) -> Value:
        value, rest = Value(current), node.children
        if is_call(rest[0], "kafka") and len(rest) > 1 and rest[1].kind == "field":
            direct = record_fact(self, rest[1].value)
            value, rest = (direct, rest[2:]) if direct else (value, rest)
        for child in rest:
            value = self.value(child, self.name(value))
        return value

    _index_expression = _subexpression
    _pipe = _subexpression

    def _index(self, node: Node, current: str) -> Value:
        at = int(node.value)
        enough = f"len({current}) > {at}" if at >= 0 else f"len({current}) >= {-at}"
        return Value(f"({current}[{at}] if type({current}) is list and {enough} else None)")

    def _slice(self, node: Node, current: str) -> Value:
        start, end, step = ("" if part is None else str(int(part)) for part in node.value)
        if step == "0":
            raise ExpressionError("the step of a slice cannot be 0", node.offset, "invalid-value")
        return Value(f"({current}[{start}:{end}:{step}] if type({current}) is list else None)")

    def _comparator(self, node: Node, current: str) -> Value:
        left, right = (self.value(child, current) for child in node.children)
        if left.kind == "literal" and right.kind != "literal":
            left, right = right, left
            operator = _MIRRORED.get(node.value, node.value)
        else:
            operator = node.value
        held, other = self.name(left), right.code if right.kind == "literal" else self.name(right)
        if operator in {"eq", "ne"}:
            return Value(_equality(held, other, right, negated=operator == "ne"), "bool")
        return Value(_ordering(held, other, right, _ORDERINGS[operator]), "bool")

    def _not_expression(self, node: Node, current: str) -> Value:
        return Value(f"(not {self.truth(self.value(node.children[0], current))})", "bool")

    def _and_expression(self, node: Node, current: str) -> Value:
        return self._chain(node.children, current, negated=False)

    def _or_expression(self, node: Node, current: str) -> Value:
        return self._chain(node.children, current, negated=True)

    def _chain(self, children: tuple[Node, ...], current: str, *, negated: bool) -> Value:
        """Write a && b && c, or with `negated` a || b || c: the next only where the one before leaves it open."""
        held = self.writer.fresh()
        kinds = set()
        first = self.value(children[0], current)
        kinds.add(first.kind)
        self.writer.line(f"{held} = {first.code}")
        for child in children[1:]:
            truth = self.truth(Value(held, "bool" if kinds == {"bool"} else ""))
            with self.writer.block(f"if {'not ' if negated else ''}{truth}:"):
                value = self.value(child, current)
                kinds.add(value.kind)
                self.writer.line(f"{held} = {value.code}")
        return Value(held, "bool" if kinds == {"bool"} else "")

    def _expref(self, node: Node, _current: str) -> Value:
        raise ExpressionError("&... can stand only as an argument of a function", node.offset)

    def _expression_reference(self, node: Node) -> Value:
        name, needed = self.function_of(node.children[0])
        bound = ", ".join(f"{context}={context}" for context in needed)
        return Value(f"partial({name}, {bound})" if bound else name, "expref")

    def _projection(self, node: Node, current: str) -> Value:
        return self._each(node.children[0], node.children[1], current, None)

    def _filter_projection(self, node: Node, current: str) -> Value:
        return self._each(node.children[0], node.children[1], current, node.children[2])

    def _value_projection(self, node: Node, current: str) -> Value:
        return self._each(node.children[0], node.children[1], current, None, values=True)

    def _each(
        self, left: Node, right: Node, current: str, condition: Node | None, *, values: bool = False
    ) -> Value:
        base = self.name(self.value(left, current))
        collected = self.writer.assign("None")
        element = self.writer.fresh("e")
        with self.writer.block(f"if type({base}) is {'dict' if values else 'list'}:"):
            self.writer.line(f"{collected} = []")
            with self.writer.block(f"for {element} in {base}{'.values()' if values else ''}:"):
                if condition is not None:
                    truth = self.truth(self.value(condition, element))
                    self.writer.line(f"if not {truth}: continue")
                kept = self.name(self.value(right, element))
                self.writer.line(f"if {kept} is not None: {collected}.append({kept})")
        return Value(collected)

    def _flatten(self, node: Node, current: str) -> Value:
        base = self.name(self.value(node.children[0], current))
        return Value(f"(flattened({base}) if type({base}) is list else None)")

    def _multi_select_list(self, node: Node, current: str) -> Value:
        return self._selected(node, current, "[{}]", "{1}")

    def _multi_select_dict(self, node: Node, current: str) -> Value:
        return self._selected(node, current, "{{{}}}", "{0!r}: {1}")

    def _key_val_pair(self, node: Node, current: str) -> Value:
        return self.value(node.children[0], current)

    def _selected(self, node: Node, current: str, whole: str, part: str) -> Value:
        selected = self.writer.assign("None")
        with self.writer.block(f"if {current} is not None:"):
            parts = [part.format(child.value, self.value(child, current).code) for child in node.children]
            self.writer.line(f"{selected} = {whole.format(', '.join(parts))}")
        return Value(selected)

    def _function_expression(self, node: Node, current: str) -> Value:
        special = FORMS.get(node.value)
        if special is not None and not (self.standard and node.value != "not_null"):
            return special(self, node, current)
        function = REGISTRY[node.value]
        if not self.standard:
            _check_references(function, node)
        arguments = [self.argument(child, current) for child in node.children]
        return self.call(function, arguments)

    def argument(self, node: Node, current: str) -> Value:
        """Return an argument whose code can be repeated; what is constant is made once."""
        if node.kind == "expref":
            reference = self._expression_reference(node)
            return Value(self.name(reference), reference.kind)
        value = self.value(node, current)
        if value.kind == "literal" and type(value.literal) in {list, dict}:
            return Value(self.writer.constant(value.literal), "literal", value.literal)
        return value if value.kind == "literal" else Value(self.name(value), value.kind)

    def call(self, function: Function, arguments: list[Value]) -> Value:
        """Return the code of a call whose arguments are checked for their types first."""
        tests = [
            test
            for index, argument in enumerate(arguments)
            if (test := self._test(function, function.parameter(index), argument)) is not None
        ]
        codes = [argument.code for argument in arguments]
        given = ", ".join(codes)
        plain = (
            function.inline.format(*codes)
            if function.inline
            else f"{self.writer.constant(function.implementation, function.name + '_')}({given})"
        )
        if not tests:
            return Value(plain)
        return Value(f"({plain} if {' and '.join(tests)} else {self.refusal(function, codes)})")

    def refusal(self, function: Function, arguments: list[str]) -> str:
        """Return the code for arguments of the wrong types: null for a null where that is the policy."""
        otherwise = "refuse" if self.standard or function.accept_null else "null_or_refuse"
        return f"{otherwise}({self.writer.constant(function)}, {', '.join(arguments)})"

    def _test(self, function: Function, wanted: str, argument: Value) -> str | None:
        """Return the condition that an argument has the type that is wanted, None if it is sure to."""
        if "expref" in {wanted, argument.kind}:
            return None if wanted == argument.kind else "False"
        if argument.kind == "literal":
            if wanted == "any":
                nullable = self.standard or function.accept_null
                return None if nullable or argument.literal is not None else "False"
            return None if fits(wanted, argument.literal) else "False"
        if wanted == "any":
            return None if self.standard or function.accept_null else f"{argument.code} is not None"
        tests = [_TESTS[kind].format(argument.code) for kind in wanted.split("|")]
        if function.skip_null and not self.standard:
            tests.append(f"{argument.code} is None")
        return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"


def _check_references(function: Function, node: Node) -> None:
    for index, child in enumerate(node.children):
        wanted = function.parameter(index) == "expref"
        if wanted and child.kind != "expref":
            text = f"argument {index + 1} of {function.name}() is an expression: write & before it"
            raise ExpressionError(text, child.offset or node.offset, "invalid-type")
        if child.kind == "expref" and not wanted:
            raise ExpressionError(
                f"{function.name}() takes no expression (&...) here", node.offset, "invalid-type"
            )


def _equality(held: str, other: str, right: Value, *, negated: bool) -> str:
    if right.kind == "literal":
        literal = right.literal
        if literal is None or isinstance(literal, bool):
            return f"({held} is {'not ' if negated else ''}{literal!r})"
        if isinstance(literal, str) or (isinstance(literal, int | float) and literal not in {0, 1}):
            return f"({held} {'!=' if negated else '=='} {other})"
    return f"(not equal({held}, {other}))" if negated else f"equal({held}, {other})"


def _ordering(held: str, other: str, right: Value, sign: str) -> str:
    if right.kind == "literal":
        kind = type(right.literal)
        if kind is str:
            return f"({held} {sign} {other} if type({held}) is str else None)"
        if kind in {int, float}:
            return f"({held} {sign} {other} if type({held}) is int or type({held}) is float else None)"
        return "None"
    return f"({held} {sign} {other} if comparable({held}, {other}) else None)"
