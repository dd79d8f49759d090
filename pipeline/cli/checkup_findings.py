"""One thing that was checked, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a check ended in."""

    PASSED = "passed"
    FAILED = "failed"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's name, its end, what was found, and what to do about it."""

    name: str
    state: State
    text: str
    advice: str | None = None


def passed(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, State.PASSED, text)


def failed(name: str, text: str, advice: str | None = None) -> Finding:
    """Something must be done; where `advice` is None the text says what."""
    return Finding(name, State.FAILED, text, advice)


def left_out(name: str, text: str) -> Finding:
    """It could not be asked, or there is nothing to ask."""
    return Finding(name, State.LEFT_OUT, text)
