"""What decoding can end in, besides an event."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Why bytes are not an event, in a safe sentence that never quotes them."""

    text: str


HEADERS_UNREADABLE = Undecodable("the record has a header whose name is not UTF-8")
"""What a record with `UNREADABLE_HEADERS` is, whatever its value: rules and envelopes may ask for its headers."""


@dataclass(frozen=True, slots=True)
class SchemaPending:
    """The bytes need a schema that is being looked up.

    `trouble` says in a safe sentence what keeps the registry from answering, None while it is just being asked.
    """

    schema_id: int
    trouble: str | None = None
