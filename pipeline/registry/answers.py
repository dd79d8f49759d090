"""What asking the schema registry can end in, besides a schema."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoSchema:
    """The registry answers, and has no such schema or none that can be used; asking again soon is no use."""

    text: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """The registry cannot be asked now, in a safe sentence with what to do; it is an outage, and asked again."""

    text: str
