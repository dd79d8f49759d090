"""Whatever comes, a rule set gives calls or reasons, never raises, and leaves the event as it was."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import COUNTED_KINDS, CallKind, Reason
from pipeline.customerio.limits import check
from pipeline.mapping import RuleSet, load_rules
from pipeline.records import Record
from tests.properties.mapping.json_values import EVENTS

PRESETS = sorted(Path("mappings").rglob("*.yaml"))
NOW = 1_900_000_000.0
RULES: dict[Path, RuleSet] = {}

RECORDS = st.builds(
    Record,
    topic=st.just("t"),
    partition=st.integers(0, 3),
    offset=st.integers(0, 2**40),
    key=st.none() | st.binary(max_size=8),
    value=st.sampled_from([b"{}", b"", None]),
    headers=st.lists(
        st.tuples(st.sampled_from(["tenant", "ce_type"]), st.none() | st.binary(max_size=8))
    ).map(tuple),
    timestamp_ms=st.none() | st.integers(0, 2**45),
)


def likely(path: Path) -> st.SearchStrategy[object]:
    """The events of the file's own tests with parts replaced by anything, and anything."""
    own = [test.event for test in loaded(path).files[str(path)].tests if isinstance(test.event, dict)]
    if not own:
        return EVENTS
    changed = st.tuples(st.sampled_from(own), EVENTS).map(
        lambda pair: {**pair[0], **pair[1]} if isinstance(pair[1], dict) else {**pair[0], "type": pair[1]}
    )
    return st.one_of(EVENTS, changed, st.sampled_from(own))


def loaded(path: Path) -> RuleSet:
    if path not in RULES:
        RULES[path] = load_rules([path], environment={})
    return RULES[path]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_event_gives_calls_or_a_reason(path: Path, data: st.DataObject) -> None:
    event, record = data.draw(likely(path)), data.draw(RECORDS)
    before = json.dumps(event)
    mapped = loaded(path).map(event, record, NOW)
    assert json.dumps(event) == before
    for call in mapped.calls:
        assert check(call) is None
        assert call.kind not in COUNTED_KINDS | {CallKind.IDENTIFY} or call.timestamp is not None
        assert call.timestamp is None or 0 < call.timestamp <= NOW + 300
        json.dumps(dict(call.attributes), allow_nan=False)
    assert all(isinstance(failure.reason, Reason) and failure.text for failure in mapped.failures)
    assert mapped.matched or not mapped.calls
    sources = [call.source for call in mapped.calls if call.kind in COUNTED_KINDS]
    assert len(set(sources)) == len(sources)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_an_event_maps_to_the_same_calls_every_time(path: Path) -> None:
    rules, again = loaded(path), load_rules([path], environment={})
    for test in rules.files[str(path)].tests:
        record = Record("t", 0, 0, value=b"{}", timestamp_ms=1_773_480_413_000)
        assert rules.map(test.event, record, NOW) == again.map(test.event, record, NOW)
