"""JSON bytes to an event."""

from typing import Any

import orjson

from pipeline.decode.outcomes import HEADERS_UNREADABLE, Undecodable
from pipeline.records import UNREADABLE_HEADERS, Record


def decode_json(record: Record) -> Any:
    """Return the event in a record's value: None for a tombstone, `Undecodable` for bytes that are not JSON."""
    if record.headers == UNREADABLE_HEADERS:
        return HEADERS_UNREADABLE
    value = record.value
    return None if value is None else read_json(value)


def read_json(value: bytes) -> Any:
    """Return what JSON bytes hold, `Undecodable` where they are not JSON."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return Undecodable(
            f"the value is not JSON: {error.msg.split(':')[0]} (byte {error.pos} of {len(value)})"
        )
