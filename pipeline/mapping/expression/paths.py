"""What can be known of an expression without compiling it."""

from collections.abc import Iterator

from pipeline.mapping.expression.syntax import Node, walk

_SAFE = frozenset(
    {"not_null", "coalesce", "if", "event", "kafka", "type", "to_array", "to_number", "env", "index", "item"}
)
_SAME_VALUE = frozenset(
    {
        "comparator",
        "not_expression",
        "and_expression",
        "or_expression",
        "function_expression",
        "multi_select_list",
        "multi_select_dict",
        "key_val_pair",
    }
)


def can_fail(node: Node) -> bool:
    """Tell whether an expression can fail on some event: only functions can."""
    return any(part.kind == "function_expression" and part.value not in _SAFE for part in walk(node))


def root_paths(node: Node) -> Iterator[tuple[str, ...]]:
    """Yield the paths of fields, and each part of them from the root, that an expression looks up on the event."""
    if node.kind == "field":
        yield (node.value,)
    elif node.kind in _SAME_VALUE:
        for child in node.children:
            if child.kind != "expref":
                yield from root_paths(child)
    elif node.kind in {"subexpression", "index_expression", "pipe"}:
        yield from _leading(node)
    elif node.children:
        yield from root_paths(node.children[0])


def _leading(node: Node) -> Iterator[tuple[str, ...]]:
    path: tuple[str, ...] = ()
    for child in node.children:
        if child.kind != "field" or (node.kind != "subexpression" and path):
            break
        path = (*path, child.value)
        yield path
    if not path:
        yield from root_paths(node.children[0])
