"""Requests of both versions; the v1 ones as the official Python client was seen to send them."""

from typing import Any

import orjson
import pytest

from pipeline.calls import Call, CallKind, Identity, IdentityKind
from pipeline.customerio.identifiers import guess_identity, path_value, quote_segment
from pipeline.customerio.requests import HttpRequest, NoV1Request, batch_request, batch_size, v1_request
from tests.customerio_made import call, encoded, track

ULID = "01HB4HBDKTFWYZCK01DMRSWRFD"


def as_v1(made: Call, event_id: str | None = None) -> HttpRequest | NoV1Request:
    return v1_request(orjson.loads(encoded(made, event_id)))


def email(kind: CallKind, value: str, attributes: dict[str, Any] | None = None, **more: Any) -> Call:
    return call(kind, value, attributes, identity=IdentityKind.EMAIL, **more)


OFFICIAL: list[tuple[Call, str | None, str, str, Any]] = [
    (
        call(CallKind.IDENTIFY, "42", {"plan": "basic"}),
        None,
        "PUT",
        "/api/v1/customers/42",
        {"plan": "basic"},
    ),
    (
        email(CallKind.IDENTIFY, "a+b@c.com", {"x": 1}),
        None,
        "PUT",
        "/api/v1/customers/a%2Bb%40c.com",
        {"x": 1},
    ),
    (
        call(CallKind.IDENTIFY, "03000001", {"x": 1}, identity=IdentityKind.CIO_ID),
        None,
        "PUT",
        "/api/v1/customers/cio_03000001",
        {"x": 1},
    ),
    (
        call(CallKind.IDENTIFY, "42", {"_update": True}, timestamp=1),
        None,
        "PUT",
        "/api/v1/customers/42",
        {"_update": True, "_timestamp": 1},
    ),
    (
        call(CallKind.TRACK, "42", {"price": 1}, name="purchase", timestamp=1561231234),
        ULID,
        "POST",
        "/api/v1/customers/42/events",
        {"name": "purchase", "data": {"price": 1}, "id": ULID, "timestamp": 1561231234},
    ),
    (
        call(CallKind.TRACK, "anon-1", {"a": 1}, identity=IdentityKind.ANONYMOUS_ID, name="viewed"),
        None,
        "POST",
        "/api/v1/events",
        {"name": "viewed", "data": {"a": 1}, "anonymous_id": "anon-1"},
    ),
    (
        call(CallKind.PAGE, "42", {"referrer": "https://r"}, name="https://ex.com/p?q=1"),
        None,
        "POST",
        "/api/v1/customers/42/events",
        {"type": "page", "name": "https://ex.com/p?q=1", "data": {"referrer": "https://r"}},
    ),
    (
        call(CallKind.SCREEN, "42", name="Home"),
        None,
        "POST",
        "/api/v1/customers/42/events",
        {"type": "screen", "name": "Home", "data": {}},
    ),
    (email(CallKind.DESTROY, "a+b@c.com"), None, "DELETE", "/api/v1/customers/a%2Bb%40c.com", None),
    (
        call(
            CallKind.ADD_DEVICE,
            "42",
            device={
                "token": "dev/ice+1",
                "platform": "ios",
                "last_used": 1514764800,
                "attributes": {"v": "1"},
            },
        ),
        None,
        "PUT",
        "/api/v1/customers/42/devices",
        {"device": {"last_used": 1514764800, "attributes": {"v": "1"}, "id": "dev/ice+1", "platform": "ios"}},
    ),
    (
        call(CallKind.DELETE_DEVICE, "u/1", device={"token": "dev/ice+1 %"}),
        None,
        "DELETE",
        "/api/v1/customers/u%2F1/devices/dev%2Fice%2B1%20%25",
        None,
    ),
    (call(CallKind.SUPPRESS, "u/1"), None, "POST", "/api/v1/customers/u%2F1/suppress", {}),
    (call(CallKind.UNSUPPRESS, "u/1"), None, "POST", "/api/v1/customers/u%2F1/unsuppress", {}),
    (
        call(CallKind.MERGE, "p@x.com", secondary=Identity(IdentityKind.EMAIL, "s@x.com")),
        None,
        "POST",
        "/api/v1/merge_customers",
        {"primary": {"id": "p@x.com"}, "secondary": {"email": "s@x.com"}},
    ),
    (
        call(CallKind.RELATE, "42", relationships=[{"identifiers": {"cio_object_id": "o"}}], action="delete"),
        None,
        "PUT",
        "/api/v1/customers/42",
        {
            "cio_relationships": {
                "action": "delete_relationships",
                "relationships": [{"identifiers": {"cio_object_id": "o"}}],
            }
        },
    ),
    (
        call(CallKind.IDENTIFY, "42", {"a": 1}, relationships=[{"identifiers": {"cio_object_id": "o"}}]),
        None,
        "PUT",
        "/api/v1/customers/42",
        {
            "a": 1,
            "cio_relationships": {
                "action": "add_relationships",
                "relationships": [{"identifiers": {"cio_object_id": "o"}}],
            },
        },
    ),
]


@pytest.mark.parametrize(
    ("made", "event_id", "method", "path", "body"), OFFICIAL, ids=lambda value: str(value)[:40]
)
def test_each_call_has_its_v1_request(
    made: Call, event_id: str | None, method: str, path: str, body: Any
) -> None:
    request = as_v1(made, event_id)
    assert isinstance(request, HttpRequest)
    assert (request.method, request.path) == (method, path)
    assert (None if request.body is None else orjson.loads(request.body)) == body


def test_a_rule_that_sets_the_time_of_an_attribute_change_keeps_it() -> None:
    request = as_v1(call(CallKind.IDENTIFY, "42", {"_timestamp": 7}, timestamp=9))
    assert isinstance(request, HttpRequest)
    assert request.body == b'{"_timestamp":7}'


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("user/1", "user%2F1"),
        ("john doe", "john%20doe"),
        ("a@b.com", "a%40b.com"),
        ("a+b@c.com", "a%2Bb%40c.com"),
        ("50%", "50%25"),
        ("a%2Fb", "a%252Fb"),
        ("zoë", "zo%C3%AB"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("😀", "%F0%9F%98%80"),
        ("a?b#c", "a%3Fb%23c"),
        ("a:b", "a%3Ab"),
        ("a;b=c", "a%3Bb%3Dc"),
        ("!'()*", "%21%27%28%29%2A"),
        ("~x-y_z.", "~x-y_z."),
        ("a\\b", "a%5Cb"),
        ("a\nb", "a%0Ab"),
    ],
)
def test_an_identifier_is_quoted_as_the_official_clients_do(value: str, quoted: str) -> None:
    assert quote_segment(value) == quoted


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("cio_03000001", IdentityKind.CIO_ID),
        ("cio_", IdentityKind.CIO_ID),
        ("cio_a-b", IdentityKind.ID),
        ("a@b.co", IdentityKind.EMAIL),
        ("a@b", IdentityKind.ID),
        ("+491234", IdentityKind.ID),
        ("42", IdentityKind.ID),
    ],
)
def test_v1_guesses_from_the_shape(value: str, kind: IdentityKind) -> None:
    assert guess_identity(value).kind is kind


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IdentityKind.ID, "a@b.co"),
        (IdentityKind.ID, "a@b"),
        (IdentityKind.ID, "cio_03000001"),
        (IdentityKind.ID, "cio_a-b"),
        (IdentityKind.ID, "."),
        (IdentityKind.ID, ".."),
        (IdentityKind.EMAIL, "not-an-address"),
        (IdentityKind.PHONE, "+491234"),
    ],
)
def test_what_v1_would_or_might_misread_has_no_v1_request(kind: IdentityKind, value: str) -> None:
    assert path_value(Identity(kind, value)) is None
    assert isinstance(as_v1(call(CallKind.DESTROY, value, identity=kind)), NoV1Request)


@pytest.mark.parametrize("token", [".", ".."])
def test_a_device_token_that_is_a_step_in_a_path_has_no_v1_request(token: str) -> None:
    assert isinstance(as_v1(call(CallKind.DELETE_DEVICE, device={"token": token})), NoV1Request)


def test_a_batch_holds_the_operations_in_their_order_and_weighs_what_it_says() -> None:
    payloads = [track(f"u{number}") for number in range(3)]
    request = batch_request(payloads)
    assert (request.method, request.path) == ("POST", "/api/v2/batch")
    assert request.body is not None
    assert orjson.loads(request.body) == {"batch": [orjson.loads(payload) for payload in payloads]}
    assert batch_size(payloads) == len(request.body)
    assert batch_size([]) == len(batch_request([]).body or b"")
