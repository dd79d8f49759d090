"""Calls that are held until their person is identified: bounded, in order, and never committed past."""

from contextlib import closing
from pathlib import Path

import pytest

from pipeline.calls import Identity, IdentityKind, Reason
from pipeline.people.lanes import HoldLimits
from pipeline.people.register import Known, Register, name_of
from pipeline.unidentified import Unidentified
from tests.ghost_stage import P0, Stage


def test_held_events_go_in_order_behind_the_identify_they_waited_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED)
    stage.event("event", name="first")
    stage.event("event", name="second")
    stage.event("event", "u2", name="of another")
    stage.run_for(10)
    assert stage.sent == []
    assert stage.committed() == 0, "what is held is not committed"
    stage.event("profile")
    stage.event("event", name="third")
    stage.run_for(10)
    assert stage.sent == [("identify", "u1"), ("first", "u1"), ("second", "u1"), ("third", "u1")]
    assert stage.committed() == 2, "the other person's event is still held"


def test_what_was_held_for_too_long_is_a_dead_letter_and_holds_up_nothing_any_more(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED, limits=HoldLimits(max_seconds=20))
    stage.event("event", name="lonely")
    stage.event("profile", "u2")
    stage.run_for(18)
    assert (stage.letters, stage.committed()) == ([], 0)
    stage.run_for(10)
    assert stage.letters == [(Reason.NOT_IDENTIFIED, "lonely", 0)]
    assert stage.store.safe[0].text == "no identify has named the person, and it was held for 20 s"
    assert stage.committed() == 2
    stage.event("profile", "u1")
    stage.event("event", "u1", name="later")
    stage.run_for()
    assert ("later", "u1") in stage.sent


@pytest.mark.parametrize(
    "limits", [HoldLimits(max_calls=3), HoldLimits(max_bytes=500)], ids=["calls", "bytes"]
)
def test_no_more_than_the_bound_is_held_and_the_oldest_give_way(tmp_path: Path, limits: HoldLimits) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED, limits=limits)
    for number in range(10):
        stage.event("event", f"u{number}", name=f"event {number}")
    stage.run_for(2)
    held = 10 - len(stage.letters)
    assert 1 <= held <= 3
    assert [name for _, name, _ in stage.letters] == [f"event {number}" for number in range(10 - held)]
    assert all("too much was held" in letter.text for letter in stage.store.safe)


def test_a_held_event_does_not_keep_its_partition_from_being_read(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED, limits=HoldLimits(max_seconds=1e9, max_span=50)
    )
    stage.event("profile", "u2")
    stage.event("event", name="lonely")
    for number in range(500):
        stage.event("event", "u2", name=f"event {number}")
    stage.run_for(10)
    assert [name for _, name, _ in stage.letters] == ["lonely"]
    assert stage.committed() == 502


def test_a_deletion_ends_the_wait_of_what_was_held(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED)
    stage.event("event", name="lonely")
    stage.event("gone")
    stage.event("profile")
    stage.run_for()
    assert stage.sent == [("destroy", "u1"), ("identify", "u1")]
    assert [name for _, name, _ in stage.letters] == ["lonely"]


def test_a_device_that_was_removed_while_it_was_held_does_not_stay(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED)
    stage.event("phone")
    stage.event("phone gone")
    stage.event("phone gone", "u2")
    stage.run_for(2)
    assert stage.sent == [("delete_device", "u2")], "the other waits behind the add_device"
    assert stage.committed() == 0
    stage.event("profile")
    stage.run_for()
    assert stage.sent[1:] == [("identify", "u1"), ("add_device", "u1"), ("delete_device", "u1")]
    assert stage.committed() == 4


def test_what_only_waited_behind_a_held_call_goes_when_that_is_given_up(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED, limits=HoldLimits(max_seconds=20))
    stage.event("phone")
    stage.event("phone gone")
    stage.run_for(10)
    stage.event("event", name="held for itself")
    stage.event("phone gone")
    stage.run_for(15)
    assert stage.sent == [("delete_device", "u1")]
    assert [(reason, offset) for reason, _, offset in stage.letters] == [(Reason.NOT_IDENTIFIED, 0)]
    assert stage.committed() == 2, "the second one still stands behind the event"
    stage.run_for(10)
    assert stage.sent == [("delete_device", "u1")] * 2
    assert stage.committed() == 4


def test_what_waits_behind_a_held_call_counts_in_what_may_be_held(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED, limits=HoldLimits(max_calls=3))
    stage.event("phone")
    for _ in range(3):
        stage.event("phone gone")
    stage.run_for(10)
    assert [offset for *_, offset in stage.letters] == [0]
    assert stage.sent == [("delete_device", "u1")] * 3
    assert stage.committed() == 4


@pytest.mark.parametrize(
    ("what", "user", "loser"),
    [("back", "u1", None), ("merged", "u2", "u1"), ("merged", "u1", "u2")],
    ids=["unsuppress", "merged away", "merged into"],
)
def test_what_an_identify_must_not_go_ahead_of_ends_the_wait(
    tmp_path: Path, what: str, user: str, loser: str | None
) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED)
    stage.event("event", name="held")
    stage.event("phone gone")
    stage.event(what, user, loser=loser)
    stage.event("profile")
    stage.run_for(10)
    assert [name for _, name, _ in stage.letters] == ["held"]
    ending = "unsuppress" if what == "back" else "merge"
    assert stage.store.safe[0].text == f"no identify has named the person, and the call '{ending}' came first"
    assert [kind for kind, _ in stage.sent] == ["delete_device", ending, "identify"]
    assert stage.committed() == 4


def test_whoever_another_worker_has_identified_meanwhile_is_not_waited_for_any_longer(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED)
    stage.event("event", name="first")
    stage.run_for(2)
    with closing(Register(tmp_path / "people.sqlite", 10)) as of_another:
        name = name_of(Identity(IdentityKind.ID, "u1"))
        of_another.note(name, Known(identified=True, email=False), day=0)
        of_another.flush({})
    stage.event("event", name="second")
    stage.run_for()
    assert stage.sent == [("first", "u1"), ("second", "u1")]


def test_nobody_who_stops_waits_for_what_is_held_and_the_next_holds_it_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED)
    stage.event("event", name="first")
    stage.run_and_stop(3)
    assert stage.clock.monotonic() < 4
    assert (stage.sent, stage.letters, stage.committed()) == ([], [], 0)
    again = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED, log=stage.log)
    again.event("profile")
    again.run_for()
    assert again.sent == [("identify", "u1"), ("first", "u1")]
    assert again.committed() == 2


def test_a_partition_that_goes_elsewhere_takes_along_what_was_held_of_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.HOLD_UNTIL_IDENTIFIED)
    stage.event("event", name="first")
    stage.run_for(2)
    stage.log.take_away(P0)
    stage.run_for(2)
    assert stage.engine.status.waiting_calls == 0
    stage.log.give_back(P0)
    stage.event("profile")
    stage.run_for()
    assert stage.sent == [("identify", "u1"), ("first", "u1")]
    assert stage.committed() == 2
