"""What of a dead letter may be seen: no data unless asked for, and no secret at all."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource
from pipeline.deadletters.masking import HIDDEN, Mask
from pipeline.records import Record

MARKED = st.integers(100_000, 999_999).map(lambda number: f"secret{number}@shop.example")
VALUES = st.recursive(
    MARKED | st.integers(10**6, 10**9) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "user", "name", "id"]) | MARKED, inner, max_size=3)
    ),
    max_leaves=12,
)


def leaves(value: Any) -> set[str]:
    """Every text, number and name of a field that could be somebody's."""
    if isinstance(value, dict):
        inner = set().union(*map(leaves, value.values())) if value else set()
        return inner | {name for name in value if "@" in name}
    if isinstance(value, list):
        return set().union(*map(leaves, value)) if value else set()
    return {str(value)} if isinstance(value, str | int) and not isinstance(value, bool) else set()


@given(VALUES, st.none() | MARKED, MARKED)
@settings(max_examples=80, deadline=None)
def test_nothing_of_an_event_is_seen_unless_it_is_asked_for(value: Any, key: str | None, header: str) -> None:
    record = Record(
        "events",
        0,
        1,
        None if key is None else key.encode(),
        orjson.dumps(value),
        (("trace", header.encode()),),
        None,
    )
    shown = orjson.dumps(Mask().record(record)).decode()
    for leaf in leaves(value) | {key or header, header}:
        assert leaf not in shown


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_the_shape_stays(value: Any) -> None:
    def shape(part: Any) -> Any:
        if isinstance(part, dict):
            return [shape(inner) for inner in part.values()]
        if isinstance(part, list):
            return [shape(inner) for inner in part]
        return part if part is None or isinstance(part, bool) else "leaf"

    masked = Mask().value(value)
    if not any("@" in name for name in leaves(value)):
        assert shape(masked) == shape(value)


@pytest.mark.parametrize("reveal", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "password",
        "userPassword",
        "access_token",
        "Authorization",
        "api_key",
        "apiKey",
        "client-secret",
        "Cookie",
    ],
)
def test_what_is_named_like_a_secret_is_hidden_always(name: str, reveal: bool) -> None:
    mask = Mask(reveal=reveal)
    record = Record(
        "events",
        0,
        1,
        None,
        orjson.dumps({"a": {name: "hunter2", "b": [{name: 17_171_717}]}}),
        ((name, b"hunter2"),),
    )
    shown = orjson.dumps(mask.record(record)).decode()
    assert "hunter2" not in shown
    assert "17171717" not in shown
    assert name in shown


@pytest.mark.parametrize(
    "torn",
    [
        b'{"password": "hunter2", "user',
        b'{"password":"hunter2"',
        b"password=hunter2&user=ada",
        b"Authorization: hunter2",
        b'{"apiKey" : "hunter2',
    ],
)
def test_a_secret_in_what_is_no_json_is_hidden_too(torn: bytes) -> None:
    assert "hunter2" not in str(Mask(reveal=True).octets(torn))


def test_the_pipelines_own_credentials_are_hidden_wherever_they_stand() -> None:
    mask = Mask(reveal=True, secrets=["my-key", "my-site"])
    assert mask.text("the key my-key of my-site") == f"the key {HIDDEN} of {HIDDEN}"


def test_revealed_data_is_shown_as_it_is() -> None:
    record = Record(
        "events", 0, 1, b"ada", b'{"email": "a@b.c", "n": 1}', (("trace", None), ("x", b"\xff")), 5
    )
    assert Mask(reveal=True).record(record) == {
        "topic": "events",
        "partition": 0,
        "offset": 1,
        "timestamp_ms": 5,
        "key": "ada",
        "headers": [["trace", None], ["x", "/w=="]],
        "value": {"email": "a@b.c", "n": 1},
    }


def test_bytes_that_are_no_text_are_told_by_their_number() -> None:
    assert Mask().octets(b"\xff\x00") == "(2 bytes)"


def test_an_operation_shows_what_it_does_and_when_but_not_about_whom() -> None:
    payload = orjson.dumps(
        {
            "type": "person",
            "identifiers": {"email": "ada@shop.example"},
            "action": "event",
            "id": "01J00000000000000000000000",
            "name": "order_placed",
            "timestamp": 1_773_480_413,
            "attributes": {"total": 25, "note": "for Ada"},
        }
    )
    assert Mask().payload(payload, CallKind.TRACK) == {
        "type": "person",
        "identifiers": {"email": "(text, 16 characters)"},
        "action": "event",
        "id": "01J00000000000000000000000",
        "name": "order_placed",
        "timestamp": 1_773_480_413,
        "attributes": {"total": "(number)", "note": "(text, 7 characters)"},
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (CallKind.PAGE, "https://shop.example/reset/ada"),
        (CallKind.PAGE, "home"),
        (CallKind.TRACK, "ada@shop.example signed up"),
        (CallKind.TRACK, "order 4711"),
    ],
)
def test_a_name_that_could_hold_data_is_hidden(kind: CallKind, name: str) -> None:
    shown = Mask().payload(orjson.dumps({"name": name}), kind)
    assert shown == {"name": f"(text, {len(name)} characters)"}


def test_the_key_of_an_element_is_data_and_its_index_is_not() -> None:
    source = CallSource("items", CallKind.TRACK, "bought", 0, "ada@shop.example")
    assert Mask().source(source) == "items/track:bought[***]"
    assert Mask(reveal=True).source(source) == "items/track:bought[ada@shop.example]"
    assert Mask().source(source._replace(element=2)) == "items/track:bought[2]"
    assert Mask().source(None) is None


def test_a_call_is_named_without_a_name_that_could_hold_data() -> None:
    page = CallSource("visits", CallKind.PAGE, "https://shop.example/reset/ada", 1)
    assert Mask().source(page) == "visits/page:***#1"
    assert Mask(reveal=True).source(page) == "visits/page:https://shop.example/reset/ada#1"
    assert Mask().source(CallSource("visits", CallKind.TRACK, "order 4711")) == "visits/track:***"
