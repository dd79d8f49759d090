"""The code of a value, and what is known of the value before it is there."""

from typing import Any, NamedTuple


class Value(NamedTuple):
    """Code that gives a value when it is evaluated once.

    `kind` is what is known: ``bool`` (true, false or null), ``literal`` (then `literal` is the value), ``expref`` (a
    function), or nothing.
    """

    code: str
    kind: str = ""
    literal: Any = None
