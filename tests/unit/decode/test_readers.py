"""Payloads by their schemas: what becomes of types that JSON has no word for, and of bytes that break the schema."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import orjson
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode import Undecodable
from pipeline.decode.avro import plain
from pipeline.decode.schemas import Framed, Reader, Schema, SchemaKind, compile_schema, unframe


def reader(kind: SchemaKind, text: str, **references: str) -> Reader:
    made = compile_schema(Schema(kind, text, references))
    assert not isinstance(made, Undecodable), made
    return made


def avro(schema: Any, value: Any) -> Any:
    stream = BytesIO()
    schemaless_writer(stream, parse_schema(schema), value)
    return reader(SchemaKind.AVRO, json.dumps(schema))(stream.getvalue())


ALL_KINDS = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "n", "type": ["null", "long"]},
        {"name": "s", "type": "string"},
        {"name": "b", "type": "bytes"},
        {"name": "m", "type": {"type": "map", "values": "double"}},
        {"name": "l", "type": {"type": "array", "items": {"type": "int", "logicalType": "date"}}},
    ],
}
PROTO = """
syntax = "proto3";
message M { string s = 1; int64 n = 2; M inner = 3; repeated E e = 4; map<int32, bytes> m = 5;
  enum E { A = 0; B = 1; } }
"""
AVRO_READER = reader(SchemaKind.AVRO, json.dumps(ALL_KINDS))
PROTO_READER = reader(SchemaKind.PROTOBUF, PROTO)
JSON_READER = reader(SchemaKind.JSON, '{"type": "object", "required": ["a"]}')


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2026, 1, 31, 8, 30, tzinfo=UTC), "2026-01-31T08:30:00Z"),
        (datetime(2026, 1, 31, 8, 30), "2026-01-31T08:30:00"),  # noqa: DTZ001 - Avro's local timestamp has no zone
        (date(2026, 1, 31), "2026-01-31"),
        (time(8, 30), "08:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\xff\x00", "/wA="),
        (Decimal("19.90"), 19.9),
        (Decimal("20.00"), 20),
        (Decimal("123456789012345678.01"), "123456789012345678.01"),
        ([{"a": b""}], [{"a": ""}]),
    ],
)
def test_types_that_json_has_not(value: Any, written: Any) -> None:
    assert plain(value) == written


def test_avro_gives_what_was_written() -> None:
    value = {"n": None, "s": "ü", "b": b"\x01", "m": {"x": 0.5}, "l": [date(2026, 1, 31)]}
    assert avro(ALL_KINDS, value) == {"n": None, "s": "ü", "b": "AQ==", "m": {"x": 0.5}, "l": ["2026-01-31"]}


def test_a_schema_that_is_only_the_name_of_a_type_may_lack_its_quotes() -> None:
    assert reader(SchemaKind.AVRO, "string")(b"\x06abc") == "abc"


def test_protobuf_leaves_out_what_knows_that_it_is_absent() -> None:
    assert PROTO_READER(b"\x00") == {"s": "", "n": 0, "e": [], "m": {}}
    assert PROTO_READER(b"\x00\x1a\x02\x10\x07\x20\x01\x2a\x04\x08\x05\x12\x00") == {
        "s": "",
        "n": 0,
        "inner": {"s": "", "n": 7, "e": [], "m": {}},
        "e": ["B"],
        "m": {"5": ""},
    }


@pytest.mark.parametrize("kind", list(SchemaKind))
@pytest.mark.parametrize(
    "text", ["{", '{"type": "nonsense", "$ref": "file:///etc/hostname"}', '"unknown.Name"']
)
def test_a_schema_that_cannot_be_used_is_said_so(kind: SchemaKind, text: str) -> None:
    assert isinstance(compile_schema(Schema(kind, text)), Undecodable)


def test_a_protobuf_reference_cannot_leave_its_folder() -> None:
    schema = Schema(SchemaKind.PROTOBUF, 'import "../x.proto";', {"../x.proto": "syntax = 'proto3';"})
    assert isinstance(compile_schema(schema), Undecodable)


@given(st.binary(max_size=60))
def test_no_bytes_make_a_reader_raise_and_what_it_gives_can_be_written_as_json(payload: bytes) -> None:
    for read in (AVRO_READER, PROTO_READER, JSON_READER):
        event = read(payload)
        if not isinstance(event, Undecodable):
            orjson.dumps(event)


def test_bytes_after_the_end_are_refused() -> None:
    assert isinstance(reader(SchemaKind.AVRO, '"null"')(b"x"), Undecodable)


def test_a_value_is_taken_apart_only_when_it_names_a_schema() -> None:
    assert unframe(b"\x00\x00\x00\x01\x02rest") == Framed(258, b"rest")
    assert isinstance(unframe(b"\x00\x00"), Undecodable)
    hint = unframe(b'{"a": 1}')
    assert isinstance(hint, Undecodable)
    assert "decode.topics" in hint.text
