"""Which rules are in force, and what became of the last attempt to change them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import time
from typing import Any


@dataclass(frozen=True, slots=True)
class Reload:
    """One attempt: when, in Unix seconds, whether the new rules are in force, and else what is wrong with them."""

    at: float
    loaded: bool
    problems: tuple[str, ...] = ()


class MappingState:
    """Written by whoever loads rules, read by the admin server's thread."""

    def __init__(self, rules: int, now: Callable[[], float] = time) -> None:
        self._now = now
        self._rules = rules
        self._last_reload: Reload | None = None

    def loaded(self, rules: int) -> None:
        """Note that other rules are in force; `rules` is how many."""
        self._rules, self._last_reload = rules, Reload(self._now(), loaded=True)

    def refused(self, problems: tuple[str, ...]) -> None:
        """Note that changed files cannot be used."""
        self._last_reload = Reload(self._now(), loaded=False, problems=problems)

    def document(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        last = self._last_reload
        return {"rules": self._rules, "last_reload": None if last is None else asdict(last)}
