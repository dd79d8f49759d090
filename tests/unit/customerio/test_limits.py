"""Which calls keep Customer.io's limits, and what is said about those that do not."""

from math import inf, nan
from typing import Any

import pytest

from pipeline.calls import Call, CallKind, Identity, IdentityKind, Reason
from pipeline.customerio.limits import check
from tests.customerio_made import call

EVENT = call(CallKind.TRACK, name="order_placed", timestamp=1)
PERSON_KINDS = (
    CallKind.IDENTIFY,
    CallKind.DESTROY,
    CallKind.SUPPRESS,
    CallKind.UNSUPPRESS,
    CallKind.ADD_DEVICE,
    CallKind.DELETE_DEVICE,
    CallKind.RELATE,
)


def reason(made: Call) -> Reason | None:
    failure = check(made)
    return None if failure is None else failure.reason


def field(made: Call) -> str | None:
    failure = check(made)
    assert failure is not None
    return failure.field


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("u", None),
        ("x" * 150, None),
        ("é" * 75, None),
        ("😀" * 37, None),
        ("x" * 151, Reason.INVALID_IDENTITY),
        ("é" * 76, Reason.INVALID_IDENTITY),
        ("😀" * 38, Reason.INVALID_IDENTITY),
        ("", Reason.INVALID_IDENTITY),
        (" \t", Reason.INVALID_IDENTITY),
    ],
)
def test_an_identifier_has_1_to_150_bytes(value: str, expected: Reason | None) -> None:
    assert reason(call(CallKind.TRACK, value, name="n")) == expected


@pytest.mark.parametrize("kind", [kind for kind in CallKind if kind is not CallKind.RAW])
def test_every_call_but_a_raw_one_needs_a_person(kind: CallKind) -> None:
    assert reason(call(kind)._replace(identity=None)) is Reason.NO_IDENTITY


def test_an_event_may_be_about_an_anonymous_visitor() -> None:
    assert check(call(CallKind.TRACK, "anon", identity=IdentityKind.ANONYMOUS_ID, name="n")) is None


@pytest.mark.parametrize("kind", PERSON_KINDS)
def test_other_calls_need_more_than_an_anonymous_id(kind: CallKind) -> None:
    assert reason(call(kind, "anon", identity=IdentityKind.ANONYMOUS_ID)) is Reason.INVALID_IDENTITY


@pytest.mark.parametrize("kind", [CallKind.TRACK, CallKind.PAGE, CallKind.SCREEN])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n", None),
        ("x" * 100, None),
        ("  " + "x" * 100 + "  ", None),  # Customer.io trims names
        ("é" * 50, None),
        ("é" * 51, Reason.INVALID_NAME),
        ("x" * 101, Reason.INVALID_NAME),
        ("", Reason.INVALID_NAME),
        ("   ", Reason.INVALID_NAME),
        (None, Reason.INVALID_NAME),
    ],
)
def test_a_name_has_1_to_100_bytes(kind: CallKind, name: str | None, expected: Reason | None) -> None:
    assert reason(call(kind, name=name)) == expected


@pytest.mark.parametrize("timestamp", [nan, inf, -inf, -1, -0.5])
def test_a_timestamp_is_a_number_of_seconds(timestamp: float) -> None:
    assert reason(EVENT._replace(timestamp=timestamp)) is Reason.INVALID_TIMESTAMP


@pytest.mark.parametrize(
    "value",
    [nan, inf, [1, {"deep": [inf]}], {"deep": nan}, object(), {"deep": b"bytes"}, [set()]],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("kind", [CallKind.TRACK, CallKind.IDENTIFY])
def test_what_json_cannot_carry_is_refused_at_any_depth(kind: CallKind, value: Any) -> None:
    made = call(kind, attributes={"good": 1, "bad": value}, name="n")
    assert reason(made) is Reason.INVALID_ATTRIBUTE
    assert field(made) == "attributes.bad"


def test_a_value_of_a_person_has_at_most_1000_bytes() -> None:
    assert check(call(CallKind.IDENTIFY, attributes={"a": "é" * 500})) is None
    made = call(CallKind.IDENTIFY, attributes={"a": "é" * 500 + "x"})
    assert reason(made) is Reason.INVALID_ATTRIBUTE
    assert field(made) == "attributes.a"


def test_a_value_of_an_event_may_be_longer() -> None:
    assert check(call(CallKind.TRACK, attributes={"a": "x" * 20_000}, name="n")) is None


def test_an_attribute_name_has_1_to_150_bytes() -> None:
    assert check(call(CallKind.IDENTIFY, attributes={"x" * 150: 1})) is None
    assert reason(call(CallKind.IDENTIFY, attributes={"é" * 76: 1})) is Reason.INVALID_ATTRIBUTE
    assert reason(call(CallKind.IDENTIFY, attributes={"": 1})) is Reason.INVALID_ATTRIBUTE


def test_one_identify_has_at_most_300_attributes() -> None:
    assert check(call(CallKind.IDENTIFY, attributes={str(n): n for n in range(300)})) is None
    assert (
        reason(call(CallKind.IDENTIFY, attributes={str(n): n for n in range(301)}))
        is Reason.INVALID_ATTRIBUTE
    )


def test_an_identify_cannot_give_a_person_another_id() -> None:
    assert reason(call(CallKind.IDENTIFY, "u1", {"id": "u2"})) is Reason.INVALID_ATTRIBUTE
    assert check(call(CallKind.IDENTIFY, "u1", {"id": "u1"})) is None
    assert check(call(CallKind.IDENTIFY, "7", {"id": 7})) is None
    assert check(call(CallKind.IDENTIFY, "a@b.c", {"id": "u2"}, identity=IdentityKind.EMAIL)) is None


def test_a_merge_needs_two_different_people() -> None:
    first = Identity(IdentityKind.EMAIL, "a@b.c")
    assert check(call(CallKind.MERGE, secondary=first)) is None
    assert reason(call(CallKind.MERGE)) is Reason.NO_IDENTITY
    same = call(CallKind.MERGE, "A@B.C", identity=IdentityKind.EMAIL, secondary=first)
    assert reason(same) is Reason.INVALID_CALL
    phone = call(CallKind.MERGE, secondary=Identity(IdentityKind.PHONE, "+4912"))
    assert reason(phone) is Reason.INVALID_IDENTITY


@pytest.mark.parametrize(
    ("device", "wrong"),
    [
        ({"token": "t", "platform": "ios"}, None),
        ({"token": "t", "platform": "android", "last_used": 5, "attributes": {"v": "1"}}, None),
        (None, "device"),
        ("t", "device"),
        ({"platform": "ios"}, "device.token"),
        ({"token": " ", "platform": "ios"}, "device.token"),
        ({"token": 7, "platform": "ios"}, "device.token"),
        ({"token": "t"}, "device.platform"),
        ({"token": "t", "platform": "web"}, "device.platform"),
        ({"token": "t", "platform": "ios", "last_used": "5"}, "device.last_used"),
        ({"token": "t", "platform": "ios", "last_used": True}, "device.last_used"),
        ({"token": "t", "platform": "ios", "attributes": [1]}, "device.attributes"),
        ({"token": "t", "platform": "ios", "attributes": {"v": nan}}, "device.attributes.v"),
    ],
)
def test_a_device_has_a_token_and_a_platform(device: Any, wrong: str | None) -> None:
    made = call(CallKind.ADD_DEVICE, device=device)
    assert (None if check(made) is None else field(made)) == wrong


def test_a_device_is_deleted_by_its_token_alone() -> None:
    assert check(call(CallKind.DELETE_DEVICE, device={"token": "t"})) is None


@pytest.mark.parametrize(
    ("relationships", "wrong"),
    [
        ([{"identifiers": {"object_type_id": "1", "object_id": "acme"}}], None),
        ([{"identifiers": {"cio_object_id": "ob1"}, "relationship_attributes": {"role": "admin"}}], None),
        ([], "relationships"),
        (None, "relationships"),
        ("x", "relationships"),
        ([{"identifiers": {"object_id": "acme"}}], "relationships[0]"),
        ([{"identifiers": {"object_type_id": "1", "object_id": ""}}], "relationships[0]"),
        ([{"identifiers": {"cio_object_id": "o"}}, 7], "relationships[1]"),
        ([{"identifiers": {"cio_object_id": "o"}, "relationship_attributes": 7}], "relationships[0]"),
    ],
)
def test_a_relationship_names_an_object(relationships: Any, wrong: str | None) -> None:
    made = call(CallKind.RELATE, relationships=relationships)
    assert (None if check(made) is None else field(made)) == wrong


def test_relations_are_added_or_deleted() -> None:
    relationships = [{"identifiers": {"cio_object_id": "o"}}]
    assert check(call(CallKind.RELATE, relationships=relationships, action="delete")) is None
    assert reason(call(CallKind.RELATE, relationships=relationships, action="drop")) is Reason.INVALID_CALL


def test_no_sentence_quotes_a_value() -> None:
    secret = "secret" * 300
    wrong = [
        call(CallKind.TRACK, secret, name="n"),
        call(CallKind.TRACK, name=secret),
        call(CallKind.IDENTIFY, attributes={"a": secret}),
        call(CallKind.IDENTIFY, "u1", {"id": secret[:20]}),
        call(CallKind.ADD_DEVICE, device={"token": "t", "platform": secret}),
    ]
    for made in wrong:
        failure = check(made)
        assert failure is not None
        assert "secret" not in failure.text
