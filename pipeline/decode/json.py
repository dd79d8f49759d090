"""JSON bytes to an event."""

from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Why bytes are not an event, in a safe sentence that never quotes them."""

    text: str


def decode_json(value: bytes | None) -> Any:
    """Return the event in a record's value: None for a tombstone, `Undecodable` for bytes that are not JSON."""
    if value is None:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return Undecodable(
            f"the value is not JSON: {error.msg.split(':')[0]} (byte {error.pos} of {len(value)})"
        )
