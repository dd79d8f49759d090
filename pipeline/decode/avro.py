"""Avro payloads to events, by the schema they were written with.

What JSON has no word for becomes text: times as ISO 8601 (with Z where they are instants), dates, UUIDs, and bytes in
base64. A decimal is a number where JSON can hold it exactly, else text.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson
from fastavro import parse_schema, schemaless_reader

from pipeline.decode.outcomes import Undecodable
from pipeline.decode.schemas import Reader, Schema

_EXACT_DIGITS = 15
"""Decimal digits that a double holds, whatever they are."""
_FOREIGN_TYPES = ("logicalType", '"bytes"', '"fixed"')


def avro_reader(schema: Schema) -> Reader | Undecodable:
    """Return the reader of an Avro schema, or why there is none."""
    named: dict[str, Any] = {}
    try:
        for text in schema.references.values():
            parse_schema(orjson.loads(text), named_schemas=named)
        parsed = parse_schema(_loaded(schema.text), named_schemas=named)
    except Exception as error:  # whatever the library makes of a schema it cannot use
        return Undecodable(f"its Avro schema cannot be used ({type(error).__name__})")
    texts = (schema.text, *schema.references.values())
    is_foreign = any(mark in text for text in texts for mark in _FOREIGN_TYPES)
    finish: Callable[[Any], Any] = plain if is_foreign else _as_it_is

    def read(payload: bytes) -> Any:
        stream = BytesIO(payload)
        try:
            event = finish(schemaless_reader(stream, parsed, None))
        except Exception as error:  # bytes that break the schema raise anything at all
            return Undecodable(f"the value is not what its Avro schema says ({type(error).__name__})")
        left = len(payload) - stream.tell()
        return Undecodable(f"the value has {left} bytes more than its Avro schema says") if left else event

    return read


def plain(value: Any) -> Any:
    """Return a value of Avro's types as JSON has it."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    written = _WRITTEN.get(type(value))
    return value if written is None else written(value)


def _bytes(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _loaded(text: str) -> Any:
    """A schema that is only a name may stand in the registry without its quotes."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _as_it_is(value: Any) -> Any:
    return value


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: Decimal) -> int | float | str:
    if not value.is_finite() or len(value.as_tuple().digits) > _EXACT_DIGITS:
        return str(value)
    return int(value) if value == value.to_integral_value() else float(value)


_WRITTEN: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {
        bytes: _bytes,
        datetime: _instant,
        date: date.isoformat,
        time: time.isoformat,
        UUID: str,
        Decimal: _number,
    }
)
