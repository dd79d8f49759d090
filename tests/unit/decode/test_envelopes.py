"""Envelopes: what rules see of CloudEvents and of Debezium's changes."""

from base64 import b64encode
from typing import Any

import orjson
import pytest

from pipeline.decode import SchemaPending, Undecodable, decode_json
from pipeline.decode.envelopes import Envelope, unwrapped
from pipeline.decode.outcomes import HEADERS_UNREADABLE
from pipeline.decode.topics import TopicDecoder, TopicFormat
from pipeline.records import UNREADABLE_HEADERS, Record

CHANGE = {"op": "u", "before": None, "after": {"id": 7}, "source": {"table": "people"}, "ts_ms": 1}
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order", "data": {"user": 7}}


def seen(envelope: Envelope, value: Any, *headers: tuple[str, bytes | None]) -> Any:
    written = value if isinstance(value, bytes | None) else orjson.dumps(value)
    return unwrapped(envelope, decode_json)(Record("t", 0, 0, value=written, headers=headers))


def test_a_change_is_seen_the_same_with_and_without_its_schema() -> None:
    assert seen(Envelope.DEBEZIUM, CHANGE) == CHANGE
    assert seen(Envelope.DEBEZIUM, {"schema": {"type": "struct"}, "payload": CHANGE}) == CHANGE


def test_a_tombstone_stays_one_in_every_envelope() -> None:
    for envelope in Envelope:
        assert seen(envelope, None) is None
    assert seen(Envelope.DEBEZIUM, {"schema": None, "payload": None}) is None


@pytest.mark.parametrize("value", [{"after": {}}, [], "text", {"schema": {}, "payload": {"id": 1}}])
def test_what_is_no_change_is_undecodable(value: Any) -> None:
    assert isinstance(seen(Envelope.DEBEZIUM, value), Undecodable)


def test_structured_and_binary_events_look_the_same() -> None:
    structured = seen(
        Envelope.CLOUDEVENTS, EVENT, ("content-type", b"application/cloudevents+json; charset=UTF-8")
    )
    binary = seen(
        Envelope.CLOUDEVENTS,
        EVENT["data"],
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_source", b"/shop"),
        ("ce_type", b"order"),
    )
    assert structured == binary == EVENT


def test_an_event_without_its_content_type_is_known_by_its_fields() -> None:
    assert seen(Envelope.CLOUDEVENTS, EVENT) == EVENT


def test_the_content_type_of_binary_data_is_an_attribute() -> None:
    event = seen(Envelope.CLOUDEVENTS, {}, ("ce_specversion", b"1.0"), ("Content-Type", b"application/json"))
    assert event == {"specversion": "1.0", "datacontenttype": "application/json", "data": {}}


def test_json_data_in_base64_is_put_where_rules_look_for_it() -> None:
    wrapped = {**EVENT, "data_base64": b64encode(b'{"user": 7}').decode()}
    del wrapped["data"]
    assert seen(Envelope.CLOUDEVENTS, wrapped) == EVENT
    binary = {**wrapped, "datacontenttype": "image/png"}
    assert seen(Envelope.CLOUDEVENTS, binary) == binary
    assert isinstance(seen(Envelope.CLOUDEVENTS, {**wrapped, "data_base64": "%"}), Undecodable)


def test_what_is_no_event_is_undecodable_and_is_not_quoted() -> None:
    result = seen(Envelope.CLOUDEVENTS, {"secret": 1}, ("content-type", b"application/json"))
    assert isinstance(result, Undecodable)
    assert "secret" not in result.text


def test_a_header_that_is_no_text_is_passed_over() -> None:
    assert seen(Envelope.CLOUDEVENTS, {}, ("ce_specversion", b"1.0"), ("ce_x", b"\xff")) == {
        "specversion": "1.0",
        "data": {},
    }


@pytest.mark.parametrize("envelope", list(Envelope))
@pytest.mark.parametrize("outcome", [Undecodable("bad"), SchemaPending(7)])
def test_what_could_not_be_decoded_passes_through(envelope: Envelope, outcome: Any) -> None:
    record = Record("t", 0, 0, value=b"x", headers=(("ce_specversion", b"1.0"),))
    assert unwrapped(envelope, lambda _: outcome)(record) == outcome


@pytest.mark.parametrize("envelope", Envelope)
def test_a_record_whose_headers_cannot_be_read_is_no_event_whatever_its_envelope(envelope: Envelope) -> None:
    record = Record("t", 0, 0, value=b'{"op": "c", "specversion": "1.0"}', headers=UNREADABLE_HEADERS)
    decode = TopicDecoder(TopicFormat(envelope=envelope), {})
    assert decode(record) == decode_json(record) == HEADERS_UNREADABLE
