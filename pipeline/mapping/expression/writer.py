"""Python source in the making: lines, names, constants and what has been looked up already.

Nothing that comes from a rule ever becomes source text but through `repr` of a constant or as an object bound to a
name that is made here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_INDENT = "    "


class Line(NamedTuple):
    """One line of a function; `label` names the part of the rule it serves."""

    depth: int
    text: str
    label: str | None


@dataclass(slots=True)
class Function:
    """One function in the making."""

    name: str
    parameters: str
    lines: list[Line] = field(default_factory=list)
    scopes: list[dict[object, str]] = field(default_factory=lambda: [{}])
    depth: int = 1
    contexts: set[str] = field(default_factory=set)


class Writer:
    """Collects functions and the constants they refer to."""

    def __init__(self) -> None:
        self.constants: dict[str, Any] = {}
        self.label: str | None = None
        self._done: list[Function] = []
        self._open: list[Function] = []
        self._serial = 0
        self._constant_names: dict[int, str] = {}

    @property
    def function(self) -> Function:
        """The function that lines go to now."""
        return self._open[-1]

    def fresh(self, prefix: str = "v") -> str:
        """Return a name that nothing has yet."""
        self._serial += 1
        return f"{prefix}{self._serial}"

    def constant(self, value: Any, prefix: str = "K") -> str:
        """Bind an object to a name and return the name."""
        name = self._constant_names.get(id(value))
        if name is None:
            name = self.fresh(prefix)
            self.constants[name] = value  # kept here, so that its id stays its own
            self._constant_names[id(value)] = name
        return name

    def line(self, text: str) -> None:
        """Add a line."""
        self.function.lines.append(Line(self.function.depth, text, self.label))

    def assign(self, code: str, prefix: str = "v") -> str:
        """Add a line that gives `code` a name, and return the name."""
        name = self.fresh(prefix)
        self.line(f"{name} = {code}")
        return name

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        """Indent what follows; what is looked up inside is forgotten after it."""
        self.line(opening)
        current = self.function
        before = len(current.lines)
        current.depth += 1
        current.scopes.append({})
        yield
        if len(current.lines) == before:
            self.line("pass")
        current.scopes.pop()
        current.depth -= 1

    @contextmanager
    def body(self, name: str, parameters: str = "") -> Iterator[Function]:
        """Write another function; `parameters` may still be set before the end."""
        made = Function(name, parameters)
        label, self.label = self.label, None
        self._open.append(made)
        yield made
        if not made.lines:
            self.line("pass")
        self._open.pop()
        self.label = label
        self._done.append(made)

    def seen(self, key: object) -> str | None:
        """Return the name of something looked up where it still holds."""
        for scope in reversed(self.function.scopes):
            if key in scope:
                return scope[key]
        return None

    def remember(self, key: object, name: str) -> str:
        """Note that `name` holds what `key` stands for, until this block ends."""
        self.function.scopes[-1][key] = name
        return name

    def source(self) -> str:
        """Return the whole text."""
        return "\n".join(text for text, _ in self._rendered()) + "\n"

    def labels(self) -> dict[int, str]:
        """Return what each line of the text serves, by line number from 1."""
        return {number: label for number, (_, label) in enumerate(self._rendered(), 1) if label is not None}

    def _rendered(self) -> Iterator[tuple[str, str | None]]:
        for made in self._done:
            yield f"def {made.name}({made.parameters}):", None
            for line in made.lines:
                yield _INDENT * line.depth + line.text, line.label
            yield "", None
