"""In which lane a call of a rule travels: calls of one lane keep their order."""

from typing import Any, Literal

import orjson

from pipeline.decode import decode_json
from pipeline.documents import parse_document
from pipeline.mapping.loading import compile_rules
from pipeline.records import Record
from pipeline.translation import Translation, Translator

OWN = "raw: {method: PUT, path: /v1/things, body: {}, order_by: '${thing}'}"


def lanes(
    call: str,
    event: dict[str, Any],
    key: bytes | None = None,
    order_by: Literal["identity", "record_key", "none"] = "identity",
    offset: int = 1,
) -> tuple[int, ...]:
    """The lanes of the only call that a rule makes."""
    rules = compile_rules([parse_document(f"version: 1\nrules:\n  - {{name: r, {call}}}", "m.yaml")])
    record = Record("t", 0, offset, key, orjson.dumps(event), timestamp_ms=1_773_480_413_000)
    translation = Translator(rules, lambda: 2e9, decode=decode_json, order_by=order_by).translate(record)
    assert isinstance(translation, Translation)
    assert translation.failures == ()
    [prepared] = translation.calls
    return prepared.lanes


def test_raw_calls_with_one_order_by_share_a_lane_whatever_their_keys() -> None:
    first = lanes(OWN, {"thing": "o-1"}, b"a")
    assert first == lanes(OWN, {"thing": "o-1"}, b"b", offset=2)
    assert first == lanes(OWN, {"thing": "o-1"}, b"b", "record_key"), "the rule knows better than the setting"
    assert first != lanes(OWN, {"thing": "o-2"}, b"a")


def test_an_order_by_that_is_null_leaves_the_raw_call_to_its_person_or_its_key() -> None:
    without = "raw: {method: PUT, path: /v1/things, body: {}}"
    assert lanes(OWN, {}, b"a") == lanes(without, {}, b"a") != lanes(without, {}, b"b")
    of_person = "raw: {id: '${id}', method: PUT, path: /v1/things, body: {}, order_by: '${thing}'}"
    assert lanes(of_person, {"id": "u1"}, b"a") == lanes("destroy: {id: '${id}'}", {"id": "u1"}, b"b")
    assert lanes(of_person, {"id": "u1", "thing": "o-1"}) == lanes(OWN, {"thing": "o-1"})


def test_where_nothing_is_ordered_an_order_by_has_no_effect() -> None:
    one, other = (lanes(OWN, {"thing": "o-1"}, order_by="none", offset=offset) for offset in (1, 2))
    assert one != other
