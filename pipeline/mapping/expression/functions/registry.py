"""The functions of the language: what each takes, gives and does, in one place for compiler, lint and docs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.documents import suggestion


class EvaluationError(ValueError):
    """An expression failed on an event. `category` is JMESPath's name of the error; the text never holds a value."""

    def __init__(self, text: str, category: str = "invalid-value") -> None:
        super().__init__(text)
        self.category = category


@dataclass(frozen=True, slots=True)
class Example:
    """An expression, the event it is run on, and what it gives."""

    expression: str
    result: Any
    event: Any = None


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    `parameters` are JMESPath types, alternatives divided by ``|``; the last one repeats if `variadic`. `optional`
    counts the parameters at the end that may be left out. A function that does not `accept_null` gives null when it
    is given null, unless the standard is asked for; one that does `skip_null` is called with it. A form has no
    `implementation`: the compiler knows it.
    """

    name: str
    signature: str
    doc: str
    group: str
    parameters: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    implementation: Callable[..., Any] | None = None
    variadic: bool = False
    optional: int = 0
    accept_null: bool = False
    inline: str | None = None
    standard: bool = False
    skip_null: bool = False
    aliases: tuple[str, ...] = ()

    def arity_problem(self, given: int) -> str | None:
        """Return what is wrong with giving this many arguments."""
        most = len(self.parameters)
        least = most - self.optional
        if given < least or (given > most and not self.variadic):
            wanted = (
                f"at least {least}" if self.variadic else f"{least} to {most}" if self.optional else str(most)
            )
            plural = "" if wanted.endswith("1") else "s"
            return f"{self.name}() takes {wanted} argument{plural}, {given} given: {self.signature}"
        return None

    def parameter(self, index: int) -> str:
        """Return the type of the argument at `index`."""
        return self.parameters[min(index, len(self.parameters) - 1)]


REGISTRY: dict[str, Function] = {}


def add(function: Function) -> None:
    """Put a function into the registry, under its aliases too."""
    for name in (function.name, *function.aliases):
        if name in REGISTRY:
            raise ValueError(f"two functions are called {name}")
        REGISTRY[name] = function


def define(
    signature: str,
    doc: str,
    *examples: Example,
    group: str,
    parameters: Sequence[str],
    variadic: bool = False,
    optional: int = 0,
    accept_null: bool = False,
    inline: str | None = None,
    standard: bool = False,
    skip_null: bool = False,
    aliases: Sequence[str] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function under the name in its signature."""

    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        add(
            Function(
                signature.partition("(")[0],
                signature,
                doc,
                group,
                tuple(parameters),
                tuple(examples),
                implementation,
                variadic,
                optional,
                accept_null,
                inline,
                standard,
                skip_null,
                tuple(aliases),
            )
        )
        return implementation

    return register


def check_call(known: Mapping[str, Function], name: str, given: int) -> tuple[str, str] | None:
    """Return the code and the text of what is wrong with a call, None when it is good."""
    function = known.get(name)
    if function is None:
        return "unknown-function", f"unknown function {name}(){suggestion(name, list(known))}"
    problem = function.arity_problem(given)
    return None if problem is None else ("invalid-arity", problem)
