"""What is left of dead-letter files: entries about one thing are one, resolved ones are none."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import CallKind, Reason
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.entry import Resolution
from pipeline.deadletters.selection import Selection, by_kind
from pipeline.errors import ConfigurationError, PipelineError
from tests.unit.deadletters.letters_made import ORDER, inventory, letter, record, resolved, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dead.jsonl"


def test_entries_about_one_call_are_one_and_the_newest_tells_why(path: Path) -> None:
    write(
        path,
        letter(at_ms=5, text="newest", reason=Reason.REJECTED, attempts=2),
        letter(at_ms=0, text="oldest", attempts=1),
    )
    (found,) = inventory(path).unresolved
    assert (found.text, found.reason) == ("newest", Reason.REJECTED)
    assert (found.times, found.attempts) == (2, 3)
    assert found.last_seen_ms - found.first_seen_ms == 5


def test_position_rule_call_and_element_tell_dead_letters_apart(path: Path) -> None:
    entries = [
        letter(),
        letter(record(42)),
        letter(record(partition=4)),
        letter(record(topic="others")),
        letter(source=None),
        letter(source=ORDER._replace(rule="other")),
        letter(source=ORDER._replace(kind=CallKind.IDENTIFY)),
        letter(source=ORDER._replace(name="other")),
        letter(source=ORDER._replace(ordinal=1)),
        letter(source=ORDER._replace(element="1")),
        letter(source=ORDER._replace(element=1)),
    ]
    write(path, *entries, *entries)
    found = inventory(path).unresolved
    assert {each.key for each in found} == {entry.key for entry in entries}
    assert {each.times for each in found} == {2}


def test_a_topic_that_was_created_anew_has_dead_letters_of_its_own(path: Path) -> None:
    write(path, letter(record(value="old")), letter(record(value="new")))
    assert len(inventory(path).unresolved) == 2


def test_a_resolution_hides_what_was_there_and_not_what_failed_later(path: Path) -> None:
    write(path, letter(at_ms=0), letter(at_ms=10), resolved(letter(at_ms=10)))
    assert not inventory(path).unresolved
    write(path, letter(at_ms=11))
    (found,) = inventory(path).unresolved
    assert (found.times, found.first_seen_ms) == (1, letter(at_ms=11).first_seen_ms)


def test_a_resolution_hides_nothing_else(path: Path) -> None:
    write(path, letter(), letter(record(42)), resolved(letter()))
    assert [each.position.offset for each in inventory(path).unresolved] == [42]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans()), max_size=12), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_lines_and_files_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    items: list[tuple[int, int, bool]],
    shuffled: random.Random,
) -> None:
    folder = tmp_path_factory.mktemp("files")
    lines = [
        resolved(letter(record(offset), at_ms=at)) if is_resolution else letter(record(offset), at_ms=at)
        for offset, at, is_resolution in items
    ]
    until = {
        offset: max(at for other, at, is_resolution in items if is_resolution and other == offset)
        for offset, _, is_resolution in items
        if is_resolution
    }
    expected = {
        offset for offset, at, is_resolution in items if not is_resolution and at > until.get(offset, -1)
    }
    shuffled.shuffle(lines)
    files = [folder / "a", folder / "b"]
    for file in files:
        file.touch()
    for line in lines:
        write(shuffled.choice(files), line)
    assert {each.position.offset for each in inventory(*files).unresolved} == expected


def test_lines_that_are_no_dead_letters_are_reported_and_passed_over(path: Path) -> None:
    write(path, letter(), b'{"whole": 1}\n', b"\n", letter(record(42)), b'{"torn')
    found = inventory(path)
    assert [each.position.offset for each in found.unresolved] == [41, 42]
    assert [(each.where, each.text) for each in found.foreign] == [
        (f"{path}:2", "the line is no dead letter"),
        (f"{path}:5", "the line is torn, or no JSON"),
    ]


def test_dead_letters_come_in_the_order_of_kafka(path: Path) -> None:
    write(path, letter(record(9)), letter(record(10)), letter(record(5, partition=0)), letter(record(8)))
    assert [(p.partition, p.offset) for p in (e.position for e in inventory(path).unresolved)] == [
        (0, 5),
        (3, 8),
        (3, 9),
        (3, 10),
    ]


def test_an_original_is_read_when_it_is_asked_for(path: Path) -> None:
    write(path, letter(record(1, value="ä" * 100)), b"foreign\n", letter(record(2)))
    archive = Archive([path])
    scanned = [(place, found) for place, found in archive.scan() if hasattr(found, "record")]
    for place, found in scanned:
        assert archive.load(place, found.key) == found  # type: ignore[union-attr]
    path.write_bytes(path.read_bytes()[10:])
    place, found = scanned[0]
    with pytest.raises(PipelineError, match="changed while it was read"):
        archive.load(place, found.key)  # type: ignore[union-attr]
    archive.close()


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"cannot read the dead-letter file .*no.jsonl: No such file"
    ):
        Archive([tmp_path / "no.jsonl"])


def test_groups_are_by_reason_rule_and_field_with_the_largest_first(path: Path) -> None:
    write(
        path,
        letter(record(1), at_ms=3, field="name", text="first"),
        letter(record(2), at_ms=9, field="name", text="second"),
        letter(record(3), None, reason=Reason.UNDECODABLE),
    )
    first, second = by_kind(inventory(path).unresolved)
    assert (first.rule, first.field, first.count, first.example) == ("order", "name", 2, "second")
    assert first.last_seen_ms - first.first_seen_ms == 6
    assert (second.reason, second.rule, second.count) == (Reason.UNDECODABLE, None, 1)


def test_conditions_hold_together_and_alternatives_within_one(path: Path) -> None:
    entries = [
        letter(record(1), field="name"),
        letter(record(2), field="total", at_ms=10),
        letter(record(3), None, reason=Reason.UNDECODABLE, at_ms=20),
        letter(record(4), ORDER._replace(rule="other", kind=CallKind.DESTROY), at_ms=30),
    ]
    found = inventory(write(path, *entries)).unresolved

    def chosen(selection: Selection) -> list[int]:
        return [each.position.offset for each in found if selection(each)]

    assert chosen(Selection()) == [1, 2, 3, 4]
    assert chosen(Selection(reasons=frozenset({"undecodable"}))) == [3]
    assert chosen(Selection(rules=frozenset({"order", "other"}))) == [1, 2, 4]
    assert chosen(Selection(rules=frozenset({"order"}), fields=frozenset({"total"}))) == [2]
    assert chosen(Selection(kinds=frozenset({"destroy"}))) == [4]
    assert chosen(Selection(topics=frozenset({"nothing"}))) == []
    assert chosen(Selection(positions=frozenset({"events/3@2"}))) == [2]
    since = entries[1].first_seen_ms
    assert chosen(Selection(since_ms=since, until_ms=entries[3].first_seen_ms)) == [2, 3]


def test_a_resolution_written_for_an_older_entry_leaves_the_newer_one(path: Path) -> None:
    entry = letter(at_ms=10)
    write(path, entry, Resolution(entry.key, entry.first_seen_ms - 1, entry.first_seen_ms + 99_000))
    assert len(inventory(path).unresolved) == 1
