"""Each topic's records to events: its format and its envelope."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.decode.envelopes import Decode, Envelope, unwrapped
from pipeline.decode.json import decode_json
from pipeline.decode.outcomes import HEADERS_UNREADABLE, SchemaPending, Undecodable
from pipeline.decode.schemas import Schemas, unframe
from pipeline.records import UNREADABLE_HEADERS, Record


class Format(StrEnum):
    """How a value is written. With `schema_registry` each record names its schema, and that tells its kind."""

    JSON = "json"
    SCHEMA_REGISTRY = "schema_registry"


@dataclass(frozen=True, slots=True)
class TopicFormat:
    """What the records of a topic are."""

    format: Format = Format.JSON
    envelope: Envelope = Envelope.NONE


class TopicDecoder:
    """Decodes records by their topic.

    `topics` maps names, and regular expressions that begin with `^`, to what their records are; a name goes before an
    expression, an earlier expression before a later one. `schemas` is needed where a format asks for it.
    """

    def __init__(
        self, default: TopicFormat, topics: Mapping[str, TopicFormat], schemas: Schemas | None = None
    ) -> None:
        self._default = default
        self._topics = topics
        self._schemas = schemas
        self._decoders: dict[str, Decode] = {}

    def __call__(self, record: Record) -> Any:
        """Return the event, None for a tombstone, `Undecodable` or `SchemaPending`."""
        if record.headers == UNREADABLE_HEADERS:
            return HEADERS_UNREADABLE
        decode = self._decoders.get(record.topic)
        if decode is None:
            decode = self._decoders[record.topic] = self._made_for(record.topic)
        return decode(record)

    def _made_for(self, topic: str) -> Decode:
        found = self._topics.get(topic) or next(
            (
                found
                for pattern, found in self._topics.items()
                if pattern.startswith("^") and re.search(pattern, topic)
            ),
            self._default,
        )
        decode = decode_json if found.format is Format.JSON else self._by_schema
        return unwrapped(found.envelope, decode)

    def _by_schema(self, record: Record) -> Any:
        if record.value is None:
            return None
        framed = unframe(record.value)
        if isinstance(framed, Undecodable):
            return framed
        if self._schemas is None:
            raise RuntimeError("a format needs the schema registry, and there is none")
        reader = self._schemas.reader(framed.schema_id)
        if isinstance(reader, SchemaPending | Undecodable):
            return reader
        return reader(framed.payload)
