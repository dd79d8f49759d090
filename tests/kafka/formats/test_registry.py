"""Every kind of schema from a real registry, written by Confluent's own serialisers, read by ours."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipeline.clock import SystemClock
from pipeline.decode import SchemaPending, Undecodable
from pipeline.decode.envelopes import Envelope
from pipeline.decode.topics import Format, TopicDecoder, TopicFormat
from pipeline.records import Record
from pipeline.registry import RegistryClient, SchemaLookup
from pipeline.registry.answers import NoSchema
from tests.kafka.formats.apicurio import Apicurio
from tests.kafka.formats.written import Writer
from tests.servers.pipeline import wait_until

AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
pytestmark = pytest.mark.kafka  # a JDK with Maven


@pytest.fixture
def lookup(apicurio: Apicurio) -> Iterator[SchemaLookup]:
    lookup = SchemaLookup(RegistryClient(apicurio.url), monotonic=SystemClock().monotonic)
    yield lookup
    lookup.close()


@pytest.fixture
def writer(apicurio: Apicurio) -> Iterator[Writer]:
    writer = Writer(apicurio.url)
    yield writer
    writer.close()


def event_of(
    lookup: SchemaLookup, value: bytes | None, envelope: Envelope = Envelope.NONE, **more: Any
) -> Any:
    decode = TopicDecoder(TopicFormat(Format.SCHEMA_REGISTRY, envelope), {}, lookup)
    record = Record("orders", 0, 0, value=value, **more)
    wait_until(lambda: not isinstance(decode(record), SchemaPending), "decoded")
    return decode(record)


def test_avro_with_a_reference_and_types_that_json_has_not(lookup: SchemaLookup, writer: Writer) -> None:
    order = {
        "type": "order",
        "user_id": "ann",
        "at": AT,
        "total": Decimal("19.90"),
        "address": {"city": "Köln"},
    }
    assert event_of(lookup, writer.avro("avro", order)) == {
        "type": "order",
        "user_id": "ann",
        "at": "2026-03-14T09:26:53Z",
        "total": 19.9,
        "address": {"city": "Köln"},
    }


def test_protobuf_whose_schemas_are_descriptors(lookup: SchemaLookup, writer: Writer) -> None:
    order = {"type": "order", "user_id": "ann", "total": 2**60, "address": {"city": "Köln"}}
    assert event_of(lookup, writer.protobuf("proto", order)) == order


def test_protobuf_whose_schemas_are_texts(lookup: SchemaLookup, writer: Writer) -> None:
    order = {"user_id": "ann", "at": AT, "address": {"city": "Köln"}}
    assert event_of(lookup, writer.protobuf_with_text("proto-text", order)) == {
        "type": "",
        "user_id": "ann",
        "at": "2026-03-14T09:26:53Z",
        "total": 0,
        "address": {"city": "Köln"},
    }


def test_json_is_held_against_its_schema_and_what_that_refers_to(
    lookup: SchemaLookup, writer: Writer
) -> None:
    good = {"user_id": "ann", "address": {"city": "Köln"}}
    assert event_of(lookup, writer.json("json", good)) == good
    bad = event_of(lookup, writer.json("json", {"user_id": "ann", "address": {"city": 7}}))
    assert isinstance(bad, Undecodable)
    assert "ann" not in bad.text


def test_a_debezium_change_in_avro_is_a_plain_record(lookup: SchemaLookup, writer: Writer) -> None:
    order = {"type": "order", "user_id": "ann", "at": AT, "total": Decimal(1), "address": None}
    refused = event_of(lookup, writer.avro("avro", order), Envelope.DEBEZIUM)
    assert refused == Undecodable("the value is no change of Debezium's: it has no 'op'")


def test_a_binary_cloud_event_may_carry_any_format(lookup: SchemaLookup, writer: Writer) -> None:
    value = writer.protobuf("proto", {"user_id": "ann"})
    headers = (("ce_specversion", b"1.0"), ("ce_type", b"order"), ("content-type", b"application/protobuf"))
    event = event_of(lookup, value, Envelope.CLOUDEVENTS, headers=headers)
    assert (event["type"], event["datacontenttype"]) == ("order", "application/protobuf")
    assert event["data"]["user_id"] == "ann"


def test_a_schema_that_is_not_there_makes_its_record_undecodable(
    lookup: SchemaLookup, apicurio: Apicurio
) -> None:
    assert event_of(lookup, b"\0\0\x0f\xff\xff...") == Undecodable(
        "the schema registry has no schema 1048575"
    )
    with RegistryClient(apicurio.url) as client:
        assert isinstance(client.schema(1_048_575), NoSchema)
        assert client.check() is None


def test_bytes_that_break_their_schema_are_undecodable_and_never_quoted(
    lookup: SchemaLookup, writer: Writer
) -> None:
    order = {"type": "order", "user_id": "ann@example.com", "at": AT, "total": Decimal(1), "address": None}
    for whole in (writer.avro("avro", order), writer.protobuf("proto", {"user_id": "ann@example.com"})):
        event_of(lookup, whole)
        for end in range(len(whole)):
            event = event_of(lookup, whole[:end])
            assert not isinstance(event, Undecodable) or "ann" not in event.text
        assert isinstance(event_of(lookup, whole[:-1]), Undecodable)
