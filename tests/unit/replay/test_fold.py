"""A person's identifies put together: nothing of them is lost, and nothing crosses what erases or merges."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource, Identity, IdentityKind
from pipeline.customerio.limits import MAX_ITEM_BYTES
from pipeline.records import Record
from pipeline.replay.fold import BARRIERS, MAX_ATTRIBUTES, Fold
from pipeline.translation import Prepared, Translation

PEOPLE = "ab"
OPEN_FILES = Path("/proc/self/fd")


def call(kind: CallKind, who: str, **fields: Any) -> Prepared:
    operation = {"type": "person", "identifiers": {"id": who}, "action": str(kind), **fields}
    return Prepared(CallSource("rule", kind), Identity(IdentityKind.ID, who), orjson.dumps(operation), (1,))


def identify(who: str, timestamp: int | None = None, **attributes: Any) -> Prepared:
    time = {} if timestamp is None else {"timestamp": timestamp}
    return call(CallKind.IDENTIFY, who, attributes=attributes, **time)


def barrier(kind: CallKind, who: str, other: str) -> Prepared:
    return call(kind, who, **({"secondary": {"id": other}} if kind is CallKind.MERGE else {}))


def fold(story: Sequence[Prepared], partitions: Sequence[int] | None = None) -> list[Prepared]:
    """Return what is sent of a story of one call a record, all in one partition unless said."""
    records = [
        Record("t", 0 if partitions is None else partitions[offset], offset) for offset in range(len(story))
    ]
    with Fold() as made:
        for record, each in zip(records, story, strict=True):
            made.note(record, Translation((each,), matched=True), lambda _record, _call: True)
        made.seal()
        sent = [
            made.folded(record, 0, each) if each.source.kind is CallKind.IDENTIFY else each
            for record, each in zip(records, story, strict=True)
        ]
    return [each for each in sent if each is not None]


def operations(calls: Sequence[Prepared]) -> list[dict[str, Any]]:
    return [orjson.loads(each.payload) for each in calls]


@dataclass(slots=True)
class Stretch:
    """What the identifies of a person say together, between two calls that nothing is carried across."""

    attributes: dict[str, Any]
    newest: int | None
    identifies: int = 0


def stretches(story: Sequence[Prepared], who: str) -> list[Stretch]:
    found = [Stretch({}, None)]
    for each, operation in zip(story, operations(story), strict=True):
        named = {operation["identifiers"]["id"], operation.get("secondary", {}).get("id")}
        if each.source.kind in BARRIERS and who in named:
            found.append(Stretch({}, None))
        elif each.source.kind is CallKind.IDENTIFY and who in named:
            now = found[-1]
            now.attributes |= operation["attributes"]
            now.newest = max(
                (t for t in (now.newest, operation.get("timestamp")) if t is not None), default=None
            )
            now.identifies += 1
    return found


IDENTIFIES = st.builds(
    lambda who, timestamp, attributes: identify(who, timestamp, **attributes),
    st.sampled_from(PEOPLE),
    st.none() | st.integers(1, 9),
    st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9), max_size=3),
)
OTHERS = st.builds(
    lambda kind, pair: barrier(kind, *pair),
    st.sampled_from([*sorted(BARRIERS), CallKind.TRACK]),
    st.sampled_from([("a", "b"), ("b", "a"), ("a", "c")]),
)


@given(story=st.lists(IDENTIFIES | OTHERS, max_size=25))
def test_every_stretch_between_barriers_says_the_same_in_one_identify(story: list[Prepared]) -> None:
    sent = fold(story)
    for who in PEOPLE:
        for before, after in zip(stretches(story, who), stretches(sent, who), strict=True):
            assert (after.attributes, after.newest) == (before.attributes, before.newest)
            assert after.identifies == min(1, before.identifies)
    assert [each for each in sent if each.source.kind is not CallKind.IDENTIFY] == [
        each for each in story if each.source.kind is not CallKind.IDENTIFY
    ]


def test_it_stands_where_the_first_one_stood_before_an_event_that_may_need_it() -> None:
    sent = fold([identify("a", 1, plan="free"), call(CallKind.TRACK, "a"), identify("a", 2, plan="pro")])
    assert [each.source.kind for each in sent] == [CallKind.IDENTIFY, CallKind.TRACK]
    assert operations(sent)[0]["attributes"] == {"plan": "pro"}


def test_an_attribute_that_was_removed_later_stays_removed() -> None:
    (sent,) = operations(fold([identify("a", 1, plan="free", city="Bonn"), identify("a", 2, plan=None)]))
    assert sent["attributes"] == {"plan": None, "city": "Bonn"}


def test_partitions_have_no_order_so_each_has_an_identify_of_its_own() -> None:
    story = [identify("a", 1, x=1), identify("a", 2, x=2), identify("a", 3, x=3)]
    assert [each["attributes"]["x"] for each in operations(fold(story, [0, 1, 0]))] == [3, 2]


def test_relationships_of_all_are_kept() -> None:
    story = [
        call(CallKind.IDENTIFY, "a", attributes={}, cio_relationships=[{"identifiers": {"object_id": name}}])
        for name in ("acme", "globex")
    ]
    (sent,) = operations(fold(story))
    assert [each["identifiers"]["object_id"] for each in sent["cio_relationships"]] == ["acme", "globex"]


def test_what_customerio_would_not_take_as_one_becomes_two() -> None:
    many = [{f"{part}{n}": n for n in range(MAX_ATTRIBUTES * 2 // 3)} for part in "xy"]
    assert len(fold([identify("a", 1, **attributes) for attributes in many])) == 2
    large = [{name: name * (MAX_ITEM_BYTES * 2 // 3)} for name in "xy"]
    sent = operations(fold([identify("a", 1, **attributes) for attributes in large]))
    assert [list(each["attributes"]) for each in sent] == [["x"], ["y"]]


def test_what_is_left_out_is_not_folded_in() -> None:
    story = [identify("a", 1, x=1), identify("a", 2, x=2)]
    with Fold() as made:
        for offset, each in enumerate(story):
            made.note(Record("t", 0, offset), Translation((each,)), lambda record, _call: record.offset == 0)
        made.seal()
        first = made.folded(Record("t", 0, 0), 0, story[0])
        assert first is not None
        assert operations([first])[0]["attributes"] == {"x": 1}
        assert made.folded(Record("t", 0, 1), 0, story[1]) is None


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="only Linux tells which files are open")
def test_what_does_not_fit_into_a_little_memory_goes_to_a_temporary_file() -> None:
    people, size = 4_000, 4_000
    with Fold() as made:
        for number in range(people):
            each = identify(str(number), 1, note="x" * size)
            made.note(Record("t", 0, number), Translation((each,)), lambda _record, _call: True)
        assert max(map(_size, OPEN_FILES.iterdir())) > people * size * 0.7
    assert max(map(_size, OPEN_FILES.iterdir())) < people * size * 0.7, "the file goes with the fold"


def _size(open_file: Path) -> int:
    """Return the size of an open file that has no name any more."""
    try:
        return open_file.stat().st_size if str(open_file.readlink()).endswith("(deleted)") else 0
    except OSError:
        return 0
