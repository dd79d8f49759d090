"""A person's identifies put together: nothing of them is lost, and nothing crosses what erases or merges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource, Identity, IdentityKind, Reason
from pipeline.customerio.limits import MAX_ITEM_BYTES
from pipeline.deadletters.entry import DeadLetter
from pipeline.records import Record
from pipeline.replay.fold import BARRIERS, MAX_ATTRIBUTES, Fold
from pipeline.translation import Prepared, Translation

PEOPLE = "ab"
OPEN_FILES = Path("/proc/self/fd")


def call(kind: CallKind, who: str, secondary: Identity | None = None, **fields: Any) -> Prepared:
    operation = {"type": "person", "identifiers": {"id": who}, "action": str(kind), **fields}
    identity = Identity(IdentityKind.ID, who)
    return Prepared(CallSource("rule", kind), identity, orjson.dumps(operation), (1,), secondary=secondary)


def identify(who: str, timestamp: int | None = None, **attributes: Any) -> Prepared:
    time = {} if timestamp is None else {"timestamp": timestamp}
    return call(CallKind.IDENTIFY, who, None, attributes=attributes, **time)


def barrier(kind: CallKind, who: str, other: str) -> Prepared:
    return call(kind, who, Identity(IdentityKind.ID, other) if kind is CallKind.MERGE else None)


def fold(
    story: Sequence[Prepared], partitions: Sequence[int] | None = None, *, by_time: bool = True
) -> list[Prepared]:
    """Return what is sent of a story of one call a record, all in one partition unless said."""
    records = [
        Record("t", 0 if partitions is None else partitions[offset], offset) for offset in range(len(story))
    ]
    with Fold(by_time=by_time) as made:
        for record, each in zip(records, story, strict=True):
            made.note(record, Translation((each,), matched=True), lambda _record, _call: True)
        made.seal()
        sent = [
            made.folded(record, each) if each.source.kind is CallKind.IDENTIFY else each
            for record, each in zip(records, story, strict=True)
        ]
    return [each for each in sent if each is not None]


def operations(calls: Sequence[Prepared]) -> list[dict[str, Any]]:
    return [orjson.loads(each.payload) for each in calls]


@dataclass(slots=True)
class Stretch:
    """What Customer.io has of a person after the identifies between two calls that nothing is carried across.

    It passes over those that are older than one it has; they are `late`.
    """

    attributes: dict[str, Any]
    newest: int | None
    identifies: int = 0
    late: int = 0


def stretches(story: Sequence[Prepared], who: str) -> list[Stretch]:
    found = [Stretch({}, None)]
    for each, operation in zip(story, operations(story), strict=True):
        named = {operation["identifiers"]["id"], each.secondary and each.secondary.value}
        if each.source.kind in BARRIERS and who in named:
            found.append(Stretch({}, None))
        elif each.source.kind is CallKind.IDENTIFY and who in named:
            now, time = found[-1], operation.get("timestamp")
            if time is not None and now.newest is not None and time < now.newest:
                now.late += 1
                continue
            now.attributes |= operation["attributes"]
            now.newest = now.newest if time is None else time
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
            assert after.late == before.late, "Customer.io judges each of them"
            assert after.identifies == min(1, before.identifies)
    assert [each for each in sent if each.source.kind is not CallKind.IDENTIFY] == [
        each for each in story if each.source.kind is not CallKind.IDENTIFY
    ]


def test_it_stands_where_the_first_one_stood_before_an_event_that_may_need_it() -> None:
    sent = fold([identify("a", 1, plan="free"), call(CallKind.TRACK, "a"), identify("a", 2, plan="pro")])
    assert [each.source.kind for each in sent] == [CallKind.IDENTIFY, CallKind.TRACK]
    assert operations(sent)[0]["attributes"] == {"plan": "pro"}


def test_a_late_record_does_not_win_over_a_newer_one() -> None:
    story = [
        identify("a", 1_700_000_500, plan="gold"),
        identify("a", 1_600_000_000, plan="free", city="Rome"),
        identify("a", 1_700_000_600, lang="it"),
    ]
    newer, late = operations(fold(story))
    assert (newer["attributes"], newer["timestamp"]) == ({"plan": "gold", "lang": "it"}, 1_700_000_600)
    assert late == operations(story)[1], "Customer.io passes over it"
    (as_of_now,) = operations(fold(story, by_time=False))
    assert as_of_now["attributes"] == {"plan": "free", "city": "Rome", "lang": "it"}


def test_nothing_is_carried_across_a_merge_of_somebody_named_by_cio_id() -> None:
    old = Identity(IdentityKind.CIO_ID, "cio_old")
    first, last = (identify("a", time, x=time)._replace(identity=old) for time in (1, 2))
    merge = call(CallKind.MERGE, "b", old)
    assert fold([first, merge, last]) == [first, merge, last]


def test_a_failed_identify_leaves_a_letter_for_each_record_that_it_carried() -> None:
    story = [identify("a", time, **{name: time}) for time, name in enumerate("xyz")]
    records = [
        Record("t", 0, offset, b"\xff", each.payload, (("h", None),), 5) for offset, each in enumerate(story)
    ]
    with Fold() as made:
        for record, each in zip(records, story, strict=True):
            made.note(record, Translation((each,)), lambda _record, _call: True)
        made.seal()
        failed = DeadLetter(
            records[0], Reason.RETRIES_EXHAUSTED, "refused", 7, story[0].source, "z", 503, None, 4
        )
        assert made.carried(failed) == [replace(failed, record=record) for record in records[1:]]
        assert made.carried(replace(failed, record=records[1])) == []
        assert made.carried(replace(failed, source=None)) == ()


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
        first = made.folded(Record("t", 0, 0), story[0])
        assert first is not None
        assert operations([first])[0]["attributes"] == {"x": 1}
        assert made.folded(Record("t", 0, 1), story[1]) is None


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
