"""Whatever a text of JSON inside an event holds, the record becomes calls or dead letters that can be written (G4)."""

import json
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.json_lines import from_line, to_line
from pipeline.decode import decode_json
from pipeline.mapping import load_rules
from pipeline.records import Record
from pipeline.translation import Translation, Translator

RULES = """
version: 1
rules:
  - name: named
    for_each: ${ json_decode(payload) }
    key: ${ item().key }
    track: {id: "${item().id}", name: "${item().name}", timestamp: 1000, from: "${item().data}"}
  - name: numbered
    for_each: ${ json_decode(payload) }
    key: ${ to_number(item().key) }
    track: {id: "${item().id}", name: x, timestamp: 1000, event_id: "${item().key}"}
  - name: asked
    for_each: ${ json_decode(payload) }
    raw: {path: /api/v1/x, order_by: "${item().name}", body: "${item().data}"}
"""
CHARACTERS = st.sampled_from(["a", "é", "😀", "\ud83d", "\ude00", "\ud800", " "])
TEXTS = st.lists(CHARACTERS, max_size=4).map("".join) | st.integers(0, 2**70).map(str)
VALUES = TEXTS | st.integers(-(2**70), 2**70) | st.floats() | st.none()
ELEMENTS = st.fixed_dictionaries(
    {"id": VALUES, "key": VALUES, "name": VALUES, "data": VALUES | st.dictionaries(TEXTS, VALUES, max_size=2)}
)


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    path: Path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES, "utf-8")
    return Translator(load_rules([path], environment={}), lambda: 1_900_000_000.0, decode=decode_json)


@settings(max_examples=300, deadline=None)
@given(elements=st.lists(ELEMENTS, min_size=1, max_size=2))
def test_it_becomes_calls_or_dead_letters_that_can_be_written(
    translator: Translator, elements: list[object]
) -> None:
    payload = json.dumps(elements)
    record = Record("t", 0, 0, value=orjson.dumps({"payload": payload}))
    translation = translator.translate(record)
    assert type(translation) is Translation
    assert translation.calls or translation.failures
    for prepared in translation.calls:
        orjson.loads(prepared.payload)
    for failure in translation.failures:
        letter = DeadLetter(
            record,
            failure.reason,
            failure.text,
            first_seen_ms=1,
            source=failure.source,
            field=failure.field,
        )
        assert from_line(to_line(letter)) == letter


@pytest.mark.parametrize("payload", ['[{"key": "cut \\ud83d"}]', '[{"\\ude00": 1}]', '"\\ud83d\\u0041"'])
def test_a_character_that_was_cut_in_half_is_named(translator: Translator, payload: str) -> None:
    translation = translator.translate(Record("t", 0, 0, value=orjson.dumps({"payload": payload})))
    assert type(translation) is Translation
    assert not translation.calls
    assert {failure.text for failure in translation.failures} == {
        "for_each: json_decode(): the text holds half a surrogate pair"
    }


def test_a_key_of_more_than_64_bits_is_named(translator: Translator) -> None:
    payload = '[{"key": "123456789012345678901", "id": "ann", "name": "x"}]'
    translation = translator.translate(Record("t", 0, 0, value=orjson.dumps({"payload": payload})))
    assert type(translation) is Translation
    assert "the key of an element needs more than 64 bits: make it a text" in {
        failure.text for failure in translation.failures
    }
