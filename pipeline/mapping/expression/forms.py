"""How the compiler writes the functions that choose, read the context or take constants."""

from typing import TYPE_CHECKING, Any

import re2

from pipeline.mapping.expression.functions import REGISTRY
from pipeline.mapping.expression.syntax import ExpressionError, Node
from pipeline.mapping.expression.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.mapping.expression.compiler import Compiler

FORMS: "dict[str, Callable[[Compiler, Node, str], Value]]" = {}

_LONGEST_PATTERN = 1_000
_DIRECT_FACTS = {
    "topic": "record.topic if record else None",
    "partition": "record.partition if record else None",
    "offset": "record.offset if record else None",
    "timestamp": "record.timestamp_ms if record else None",
    "tombstone": "record.value is None if record else None",
}
"""Facts of the record that are read without building the whole of `kafka()`."""


def record_fact(compiler: "Compiler", name: str) -> Value | None:
    """Return the code of ``kafka().name`` where it can be read directly."""
    code = _DIRECT_FACTS.get(name)
    if code is None:
        return None
    compiler.context("record")
    return Value(f"({code})", "bool" if name == "tombstone" else "")


def _not_null(compiler: "Compiler", node: Node, current: str) -> Value:
    writer = compiler.writer
    held = writer.assign(compiler.value(node.children[0], current).code)
    for child in node.children[1:]:
        with writer.block(f"if {held} is None:"):
            writer.line(f"{held} = {compiler.value(child, current).code}")
    return Value(held)


def _if(compiler: "Compiler", node: Node, current: str) -> Value:
    writer = compiler.writer
    condition = compiler.truth(compiler.value(node.children[0], current))
    held = writer.fresh()
    with writer.block(f"if {condition}:"):
        compiler.mark_branch(node, "then")
        writer.line(f"{held} = {compiler.value(node.children[1], current).code}")
    with writer.block("else:"):
        compiler.mark_branch(node, "else")
        otherwise = compiler.value(node.children[2], current).code if len(node.children) > 2 else "None"
        writer.line(f"{held} = {otherwise}")
    return Value(held)


def _lookup(compiler: "Compiler", node: Node, current: str) -> Value:
    writer = compiler.writer
    key = compiler.name(compiler.value(node.children[0], current))
    table = compiler.argument(node.children[1], current)
    if table.kind == "literal":
        if type(table.literal) is not dict:
            raise ExpressionError("lookup() takes an object as its table", node.offset, "invalid-type")
        found = f"{table.code}.get({key}) if type({key}) is str else looked_up({table.code}, {key})"
    else:
        found = f"looked_up({table.code}, {key})"
    held = writer.assign(found)
    with writer.block(f"if {held} is None:"):
        compiler.mark_branch(node, "default")
        if len(node.children) > 2:
            writer.line(f"{held} = {compiler.value(node.children[2], current).code}")
    return Value(held)


def _event(compiler: "Compiler", _node: Node, _current: str) -> Value:
    return Value(compiler.context("root"))


def _item(compiler: "Compiler", node: Node, _current: str) -> Value:
    return _element(compiler, node, "item")


def _index(compiler: "Compiler", node: Node, _current: str) -> Value:
    return _element(compiler, node, "index")


def _element(compiler: "Compiler", node: Node, name: str) -> Value:
    if not compiler.fan_out:
        raise ExpressionError(
            f"{name}() has a meaning only in a rule with for_each", node.offset, "no-for-each"
        )
    return Value(compiler.context(name))


def _kafka(compiler: "Compiler", _node: Node, _current: str) -> Value:
    known = compiler.writer.seen("kafka()")
    if known is None:
        code = f"record_facts({compiler.context('record')})"
        known = compiler.writer.remember("kafka()", compiler.writer.assign(code))
    return Value(known)


def _env(compiler: "Compiler", node: Node, _current: str) -> Value:
    name = _constant(node, 0, "env() takes the name of a variable in single quotes")
    if name not in compiler.environment:
        raise ExpressionError(f"the environment variable {name} is not set", node.offset, "env-not-set")
    return Value(compiler.writer.constant(compiler.environment[name], "env"), "")


def _matches(compiler: "Compiler", node: Node, current: str) -> Value:
    pattern = compiler.writer.constant(_pattern(node), "pattern")
    text = compiler.name(compiler.value(node.children[0], current))
    bad = compiler.refusal(REGISTRY["matches"], [text, "''"])
    return Value(f"({pattern}.search({text}) is not None if type({text}) is str else {bad})", "bool")


def _replace_re(compiler: "Compiler", node: Node, current: str) -> Value:
    pattern = compiler.writer.constant(_pattern(node), "pattern")
    text = compiler.name(compiler.value(node.children[0], current))
    new = compiler.name(compiler.value(node.children[2], current))
    bad = compiler.refusal(REGISTRY["replace_re"], [text, "''", new])
    test = f"type({text}) is str and type({new}) is str"
    return Value(f"(replaced({pattern}, {text}, {new}) if {test} else {bad})")


def _constant(node: Node, index: int, problem: str) -> str:
    child = node.children[index]
    if child.kind != "literal" or type(child.value) is not str:
        raise ExpressionError(problem, node.offset, "not-constant")
    return child.value


def _pattern(node: Node) -> Any:
    text = _constant(node, 1, f"{node.value}() takes its pattern in single quotes")
    if len(text) > _LONGEST_PATTERN:
        raise ExpressionError("the pattern is too long", node.offset, "bad-pattern")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a pattern"
        reason = reason.decode() if isinstance(reason, bytes) else reason
        raise ExpressionError(f"the pattern cannot be used: {reason}", node.offset, "bad-pattern") from None


FORMS.update(
    {
        "not_null": _not_null,
        "coalesce": _not_null,
        "if": _if,
        "lookup": _lookup,
        "event": _event,
        "item": _item,
        "index": _index,
        "kafka": _kafka,
        "env": _env,
        "matches": _matches,
        "replace_re": _replace_re,
    }
)
