"""The expression language: JMESPath, with additions, compiled to Python.

`compile_expression` is what most callers want; the rule compiler writes many expressions into one function.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.mapping.expression.compiler import Compiler
from pipeline.mapping.expression.functions import REGISTRY, EvaluationError, Function, check_call
from pipeline.mapping.expression.parser import parse
from pipeline.mapping.expression.syntax import ExpressionError, Node
from pipeline.mapping.expression.writer import Writer
from pipeline.records import Record

__all__ = [
    "REGISTRY",
    "Compiler",
    "EvaluationError",
    "ExpressionError",
    "Function",
    "Node",
    "Writer",
    "compile_expression",
    "evaluator",
    "load_functions",
    "parse_expression",
]

_STANDARD = {
    name: function for name, function in REGISTRY.items() if function.standard and name != "coalesce"
}


def compile_expression(text: str, *, standard: bool = False) -> Callable[[Any], Any]:
    """Compile an expression to a function of one JSON value.

    With `standard` it keeps exactly to the JMESPath standard: its functions only, no null policy, no bare numbers,
    and nothing refused that is valid there. The function never changes the value; what it returns may share parts
    with it. It raises `EvaluationError` when the expression fails on the value.

    Raises:
        ExpressionError: the expression is not valid; it has the place.
    """
    writer = Writer()
    compiler = Compiler(writer, standard=standard, environment=os.environ)
    with writer.body("expression", "root, record=None") as made:
        made.contexts.update({"root", "record"})
        value = compiler.value(parse_expression(text, standard=standard), "root")
        writer.line(f"return {value.code}")
    function: Callable[[Any], Any] = load_functions(writer, "<expression>")["expression"]
    return function


def evaluator(node: Node, environment: Mapping[str, str]) -> Callable[[Any, Record, Any, int | None], Any]:
    """Compile one parsed expression, outside of any rule.

    The function takes an event, its record, and an element of a fan-out with its index, None outside of one.
    """
    writer = Writer()
    with writer.body("expression", "root, record, item, index") as made:
        made.contexts.update({"root", "record", "item", "index"})
        value = Compiler(writer, environment=environment, fan_out=True).value(node, "root")
        writer.line(f"return {value.code}")
    function: Callable[[Any, Record, Any, int | None], Any] = load_functions(writer, "<expression>")[
        "expression"
    ]
    return function


def parse_expression(text: str, *, standard: bool = False) -> Node:
    """Parse an expression and check its calls.

    Raises:
        ExpressionError: the expression is not valid; it has the place.
    """
    known = _STANDARD if standard else REGISTRY
    return parse(text, lambda name, given: check_call(known, name, given), standard=standard)


def load_functions(writer: Writer, name: str) -> dict[str, Any]:
    """Turn what was written into functions; they see the writer's constants and nothing else."""
    namespace = dict(writer.constants)
    exec(compile(writer.source(), name, "exec", dont_inherit=True), namespace)  # noqa: S102 - docs/decisions/0020
    return namespace
