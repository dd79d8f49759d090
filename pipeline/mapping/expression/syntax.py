"""What a front end hands to the back end: an expression as a tree.

The kinds of nodes and their semantics are JMESPath's (https://jmespath.org/specification.html). Another front end
would build the same tree from another text.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple


class ExpressionError(ValueError):
    """An expression cannot be used. `offset` counts characters from the start of its text."""

    def __init__(self, text: str, offset: int = 0, code: str = "bad-expression") -> None:
        super().__init__(text)
        self.text = text
        self.offset = offset
        self.code = code


class Node(NamedTuple):
    """One node: `kind` says what `children` and `value` mean, `offset` where it stands in the text."""

    kind: str
    children: tuple["Node", ...] = ()
    value: Any = None
    offset: int = 0


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it, parents first."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


def literal(value: Any) -> Node:
    """Return a node that always gives `value`."""
    return Node("literal", value=value)


def is_call(node: Node, name: str) -> bool:
    """Tell whether a node calls the function `name`."""
    return node.kind == "function_expression" and node.value == name


def field_path(node: Node) -> tuple[str, ...] | None:
    """Return the names of a plain path from the event (``a.b.c``), None for anything else."""
    if node.kind == "field":
        return (node.value,)
    if node.kind != "subexpression":
        return None
    parts = [field_path(child) for child in node.children]
    if any(part is None for part in parts):
        return None
    return tuple(name for part in parts if part for name in part)
