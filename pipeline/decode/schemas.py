"""Schemas, what reads bytes by them, and the framing that names them in each record.

The framing is Confluent's: a zero byte, the schema's id as four bytes, big-endian, then the payload
(docs.confluent.io, "Wire format").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from pipeline.decode.outcomes import SchemaPending, Undecodable

Reader = Callable[[bytes], Any]
"""Takes a payload and returns the event in it, or `Undecodable`. Never raises."""

_HEADER_BYTES = 5


class SchemaKind(StrEnum):
    """The kinds of schema, as a registry names them."""

    AVRO = "AVRO"
    PROTOBUF = "PROTOBUF"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema's text. `references` holds the texts it refers to by their names, those without references first."""

    kind: SchemaKind
    text: str
    references: Mapping[str, str] = field(default_factory=dict)


class Schemas(Protocol):
    """Where readers come from. Asking never waits."""

    def reader(self, schema_id: int) -> Reader | Undecodable | SchemaPending:
        """Return the reader of a schema, why there is none, or that the registry is being asked."""
        ...


class Framed(NamedTuple):
    """A value taken apart."""

    schema_id: int
    payload: bytes


def unframe(value: bytes) -> Framed | Undecodable:
    """Take the id of its schema off a value."""
    if len(value) < _HEADER_BYTES:
        return Undecodable(f"the value has {len(value)} bytes, too few to name its schema")
    if value[0] != 0:
        return Undecodable(
            "the value does not name a schema (its first byte is not 0); if the topic is plain JSON, set its"
            " 'format' under decode.topics"
        )
    return Framed(int.from_bytes(value[1:_HEADER_BYTES], "big"), value[_HEADER_BYTES:])


def compile_schema(schema: Schema) -> Reader | Undecodable:
    """Return what reads payloads by a schema, or why the schema cannot be used.

    It may take a while (a Protobuf schema is compiled by a process of its own) and needs the extra `registry`.
    """
    # Each of these libraries is loaded when its first schema comes.
    match schema.kind:
        case SchemaKind.AVRO:
            from pipeline.decode.avro import avro_reader  # noqa: PLC0415 - of the extra

            return avro_reader(schema)
        case SchemaKind.PROTOBUF:
            from pipeline.decode.protobuf import protobuf_reader  # noqa: PLC0415 - of the extra

            return protobuf_reader(schema)
        case SchemaKind.JSON:
            from pipeline.decode.json_schema import json_schema_reader  # noqa: PLC0415 - of the extra

            return json_schema_reader(schema)
