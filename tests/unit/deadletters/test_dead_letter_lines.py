"""A dead letter survives the way into a file and back, byte for byte; what is none is not taken for one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.deadletters.entry import DeadLetter, Resolution, Settlement
from pipeline.deadletters.json_lines import NotADeadLetterError, from_line, resolution_line, to_line
from pipeline.records import Record

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(0, 2**63 - 1)
SOURCES = st.builds(
    CallSource,
    TEXTS,
    st.sampled_from(CallKind),
    st.none() | TEXTS,
    st.integers(0, 9),
    st.none() | TEXTS | NUMBERS,
)
RECORDS = st.builds(
    Record,
    TEXTS,
    st.integers(0, 9),
    NUMBERS,
    st.none() | st.binary(),
    st.none() | st.binary(),
    st.lists(st.tuples(TEXTS, st.none() | st.binary()), max_size=3).map(tuple),
    st.none() | st.integers(-(2**40), 2**63 - 1),
)
ENTRIES = st.builds(
    DeadLetter,
    RECORDS,
    st.sampled_from(Reason),
    TEXTS,
    NUMBERS,
    st.none() | SOURCES,
    st.none() | TEXTS,
    st.none() | st.integers(100, 599),
    st.none() | TEXTS,
    st.integers(0, 99),
)


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_an_entry_is_read_as_it_was_written(entry: DeadLetter) -> None:
    line = to_line(entry)
    assert line.count(b"\n") == 1
    assert from_line(line) == entry


@settings(max_examples=60, deadline=None)
@given(ENTRIES, NUMBERS, NUMBERS, st.sampled_from(Settlement))
def test_a_resolution_is_read_as_it_was_written(
    entry: DeadLetter, until_ms: int, resolved_ms: int, settlement: Settlement
) -> None:
    resolution = Resolution(entry.key, until_ms, resolved_ms, settlement)
    assert from_line(resolution_line(resolution)) == resolution


@settings(max_examples=60, deadline=None)
@given(ENTRIES, st.data())
def test_a_line_that_was_cut_short_is_no_entry(entry: DeadLetter, data: st.DataObject) -> None:
    line = to_line(entry).rstrip(b"\n")
    with pytest.raises(NotADeadLetterError, match="torn"):
        from_line(line[: data.draw(st.integers(0, len(line) - 1))])


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"17",
        b'"resolves"',
        b"[1]",
        b"{}",
        b'{"whole": 1}',
        b'{"resolves": null}',
        b'{"resolves": {"topic": "events"}}',
        b'{"topic": "events", "partition": 0, "offset": 1, "reason": "bored"}',
    ],
)
def test_a_line_of_somebody_else_is_no_entry(line: bytes) -> None:
    with pytest.raises(NotADeadLetterError, match="no dead letter"):
        from_line(line)
