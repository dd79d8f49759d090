"""The v2 operation of each kind of call."""

from types import MappingProxyType
from typing import Any

import orjson
import pytest

from pipeline.calls import Call, CallFailure, CallKind, Identity, IdentityKind, Reason
from pipeline.customerio.operations import encode_operation
from pipeline.customerio.sizes import check_size
from tests.customerio_made import EVENT_IDS, call, encoded

PERSON = {"type": "person", "identifiers": {"id": "u1"}}
RELATIONSHIPS = [
    {"identifiers": {"object_type_id": "1", "object_id": "acme"}, "relationship_attributes": {"r": 1}}
]

OPERATIONS: list[tuple[Call, str | None, dict[str, Any]]] = [
    (
        call(CallKind.IDENTIFY, attributes={"plan": "pro"}, timestamp=5),
        None,
        {**PERSON, "action": "identify", "timestamp": 5, "attributes": {"plan": "pro"}},
    ),
    (
        call(CallKind.IDENTIFY, attributes={}, relationships=RELATIONSHIPS),
        None,
        {**PERSON, "action": "identify", "attributes": {}, "cio_relationships": RELATIONSHIPS},
    ),
    (
        call(CallKind.TRACK, attributes={"price": 1.5}, name="bought", timestamp=5.25),
        EVENT_IDS[0],
        {
            **PERSON,
            "action": "event",
            "name": "bought",
            "id": EVENT_IDS[0],
            "timestamp": 5.25,
            "attributes": {"price": 1.5},
        },
    ),
    (
        call(CallKind.PAGE, name="/pricing"),
        EVENT_IDS[0],
        {**PERSON, "action": "page", "name": "/pricing", "id": EVENT_IDS[0], "attributes": {}},
    ),
    (
        call(CallKind.SCREEN, name="Home"),
        EVENT_IDS[0],
        {**PERSON, "action": "screen", "name": "Home", "id": EVENT_IDS[0], "attributes": {}},
    ),
    (call(CallKind.DESTROY, timestamp=5), None, {**PERSON, "action": "delete"}),
    (call(CallKind.SUPPRESS), None, {**PERSON, "action": "suppress"}),
    (call(CallKind.UNSUPPRESS), None, {**PERSON, "action": "unsuppress"}),
    (
        call(CallKind.MERGE, secondary=Identity(IdentityKind.CIO_ID, "cio_a3")),
        None,
        {"type": "person", "action": "merge", "primary": {"id": "u1"}, "secondary": {"cio_id": "a3"}},
    ),
    (
        call(CallKind.ADD_DEVICE, device={"token": "t", "platform": "ios", "last_used": None}),
        None,
        {**PERSON, "action": "add_device", "device": {"token": "t", "platform": "ios"}},
    ),
    (
        call(CallKind.DELETE_DEVICE, device={"token": "t", "platform": "ios"}),
        None,
        {**PERSON, "action": "delete_device", "device": {"token": "t"}},
    ),
    (
        call(CallKind.RELATE, relationships=RELATIONSHIPS),
        None,
        {**PERSON, "action": "add_relationships", "cio_relationships": RELATIONSHIPS},
    ),
    (
        call(CallKind.RELATE, relationships=RELATIONSHIPS, action="delete"),
        None,
        {**PERSON, "action": "delete_relationships", "cio_relationships": RELATIONSHIPS},
    ),
]


@pytest.mark.parametrize(("made", "event_id", "operation"), OPERATIONS, ids=lambda value: str(value)[:40])
def test_each_call_has_its_v2_operation(made: Call, event_id: str | None, operation: dict[str, Any]) -> None:
    payload = encode_operation(made, event_id)
    assert isinstance(payload, bytes)
    assert orjson.loads(payload) == operation


def test_the_bytes_are_compact_utf8() -> None:
    assert "é日😀".encode() in encoded(call(CallKind.TRACK, attributes={"u": "é日😀"}, name="n"))
    assert b'", "' not in encoded(call(CallKind.TRACK, name="n"))


@pytest.mark.parametrize(
    ("kind", "value", "identifiers"),
    [
        (IdentityKind.ID, "cio_a3", {"id": "cio_a3"}),
        (IdentityKind.CIO_ID, "cio_a3", {"cio_id": "a3"}),
        (IdentityKind.CIO_ID, "a3", {"cio_id": "a3"}),
        (IdentityKind.EMAIL, "A@b.c", {"email": "A@b.c"}),
        (IdentityKind.PHONE, "+4912", {"phone": "+4912"}),
        (IdentityKind.ANONYMOUS_ID, "an", {"anonymous_id": "an"}),
    ],
)
def test_a_person_is_named_by_kind_and_a_cio_id_has_no_prefix(
    kind: IdentityKind, value: str, identifiers: dict[str, str]
) -> None:
    payload = encoded(call(CallKind.TRACK, value, identity=kind, name="n"))
    assert orjson.loads(payload)["identifiers"] == identifiers


def test_the_time_of_an_identify_can_be_left_out() -> None:
    payload = encode_operation(call(CallKind.IDENTIFY, timestamp=5), None, identify_timestamp=False)
    assert isinstance(payload, bytes)
    assert "timestamp" not in orjson.loads(payload)


def test_a_mapping_that_is_no_dictionary_is_written_as_one() -> None:
    attributes = MappingProxyType({"deep": MappingProxyType({"a": 1})})
    assert orjson.loads(encoded(call(CallKind.IDENTIFY, attributes=attributes)))["attributes"] == {
        "deep": {"a": 1}
    }


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("\ud800secret", "surrogate"),
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ({1: "secret"}, "JSON"),
        ({"secret": object()}, "JSON"),
    ],
)
def test_what_cannot_be_encoded_is_a_failure_that_quotes_nothing(value: Any, word: str) -> None:
    failure = encode_operation(call(CallKind.IDENTIFY, attributes={"a": value}), None)
    assert isinstance(failure, CallFailure)
    assert failure.reason is Reason.INVALID_ATTRIBUTE
    assert word in failure.text
    assert "secret" not in failure.text


def test_nesting_without_end_is_a_failure() -> None:
    value: Any = 1
    for _ in range(2_000):
        value = [value]
    assert isinstance(encode_operation(call(CallKind.IDENTIFY, attributes={"a": value}), None), CallFailure)


def size_of(made: Call) -> CallFailure | None:
    return check_size(made, encoded(made, EVENT_IDS[0]))


def test_an_event_too_large_for_v2_may_go_by_v1() -> None:
    assert size_of(call(CallKind.TRACK, attributes={"a": "x" * 31_000}, name="n")) is None
    assert size_of(call(CallKind.TRACK, attributes={"a": "x" * 99_000}, name="n")) is None
    assert size_of(call(CallKind.TRACK, attributes={"a": "x" * 99_992}, name="n")) is None


def test_an_event_too_large_for_v1_is_refused() -> None:
    failure = size_of(call(CallKind.TRACK, attributes={"a": "x" * 99_993}, name="n"))
    assert failure is not None
    assert failure.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("value", ["a@b.c", "cio_a3", "."])
def test_a_large_event_of_an_id_that_v1_would_misread_is_refused(value: str) -> None:
    failure = size_of(call(CallKind.TRACK, value, {"a": "x" * 40_000}, name="n"))
    assert failure is not None
    assert failure.reason is Reason.TOO_LARGE


def test_a_large_identify_has_no_other_way() -> None:
    failure = size_of(call(CallKind.IDENTIFY, attributes={str(n): "x" * 900 for n in range(40)}))
    assert failure is not None
    assert failure.reason is Reason.TOO_LARGE
