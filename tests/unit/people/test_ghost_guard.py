"""What becomes of calls about people who were never identified, and of too many new profiles."""

from pathlib import Path

import pytest

from pipeline.calls import CallKind, Reason
from pipeline.delivery.batch import CONFIRMED, Batch, Failed, Outcome
from pipeline.unidentified import Unidentified
from tests.ghost_stage import Stage


def test_an_event_of_somebody_who_was_never_identified_is_a_dead_letter(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("event", name="ghost")
    stage.event("profile")
    stage.event("event", name="real")
    stage.event("event", "u2", name="ghost too")
    stage.run_for()
    assert stage.sent == [("identify", "u1"), ("real", "u1")]
    assert stage.letters == [(Reason.NOT_IDENTIFIED, "ghost", 0), (Reason.NOT_IDENTIFIED, "ghost too", 3)]
    assert stage.store.safe[0].text == "no identify has named the person"
    assert stage.committed() == 4


def test_an_event_behind_an_identify_of_the_same_record_is_sent(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("both", name="welcome")
    stage.run_for()
    assert stage.sent == [("identify", "u1"), ("welcome", "u1")]


def test_dropped_events_count_as_dropped_by_a_rule_and_every_record_is_accounted_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.DROP)
    stage.event("event", name="ghost")
    stage.event("profile")
    stage.run_for()
    assert stage.sent == [("identify", "u1")]
    assert stage.left_out == {"not_identified": 1}
    assert stage.tally.skipped["dropped"] == 1
    assert stage.tally.settled.total() == stage.tally.records.total() == stage.committed() == 2
    assert stage.letters == []


def test_a_rules_own_policy_wins_over_that_of_the_settings(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.SEND)
    stage.event("own", name="dropped")
    stage.event("event", name="sent")
    stage.run_for()
    assert stage.sent == [("sent", "u1")]
    assert stage.left_out == {"not_identified": 1}


def test_a_profile_that_an_event_has_made_is_still_not_identified(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.SEND)
    stage.event("event", name="makes a ghost")
    stage.run_for()
    stage.event("own", name="dropped")
    stage.run_for()
    assert stage.sent == [("makes a ghost", "u1")]


def test_a_visitor_is_no_ghost(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("visitor", None, name="looked", at="v1")
    stage.run_for()
    assert stage.sent == [("looked", "v1")]


def test_where_an_email_is_asked_for_an_identify_without_one_is_not_enough(tmp_path: Path) -> None:
    stage = Stage(tmp_path, needs_email=True)
    stage.event("profile")
    stage.event("event", name="too early")
    stage.event("profile", email="a@b.c")
    stage.event("event", name="welcome")
    stage.event("profile", plan="pro")
    stage.event("event", name="the address stays")
    stage.run_for()
    assert [name for name, _ in stage.sent] == [
        "identify", "identify", "welcome", "identify", "the address stays",
    ]  # fmt: skip
    assert stage.letters == [(Reason.NOT_IDENTIFIED, "too early", 1)]
    assert stage.store.safe[0].text == "no identify has given the person an e-mail address"


def test_an_address_that_an_identify_gave_names_the_person_too(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("profile", email="Ada@B.c")
    stage.event("event", None, by="ada@b.C", name="by address")
    stage.event("event", None, by="other@b.c", name="ghost")
    stage.run_for()
    assert ("by address", "ada@b.C") in stage.sent
    assert stage.letters == [(Reason.NOT_IDENTIFIED, "ghost", 2)]


def test_an_event_behind_a_deletion_in_the_same_record_makes_no_ghost(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("profile")
    stage.event("farewell", name="ghost")
    stage.run_for()
    assert stage.sent == [("identify", "u1"), ("destroy", "u1")]
    assert stage.letters == [(Reason.NOT_IDENTIFIED, "ghost", 1)]


@pytest.mark.parametrize("what", ["gone", "merged", "merged into a cio_id"])
def test_who_was_deleted_or_merged_away_is_unknown_again_under_every_name(tmp_path: Path, what: str) -> None:
    stage = Stage(tmp_path)
    stage.event("profile", email="a@b.c")
    stage.run_for()
    if what == "gone":
        stage.event("gone")
    else:
        stage.event("merged", "u2", loser="u1", cio_id="a3000001" if what.endswith("cio_id") else None)
    stage.event("event", name="ghost")
    stage.event("event", None, by="a@b.c", name="ghost by address")
    stage.run_for()
    assert [name for _, name, _ in stage.letters] == ["ghost", "ghost by address"]


def test_an_identify_that_is_refused_makes_nobody_known(tmp_path: Path) -> None:
    def refuse(batch: Batch) -> list[Outcome]:
        return [
            Failed(Reason.REJECTED, "refused") if op.kind is CallKind.IDENTIFY else CONFIRMED
            for op in batch.operations
        ]

    stage = Stage(tmp_path, answer=refuse)
    stage.event("profile")
    stage.run_for()
    stage.event("event", name="ghost")
    stage.run_for()
    assert [reason for reason, _, _ in stage.letters] == [Reason.REJECTED, Reason.NOT_IDENTIFIED]


def test_no_more_profiles_are_made_in_a_day_than_allowed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.SEND, per_day=2)
    stage.event("profile", "u1")
    stage.event("event", "u2", name="a ghost is a profile")
    stage.event("profile", "u3")
    stage.event("event", "u4", name="too many")
    stage.event("profile", "u1", plan="pro")
    stage.event("event", "u2", name="known")
    stage.event("both", "u5", name="neither")
    stage.run_for()
    assert stage.letters == [
        (Reason.TOO_MANY_PROFILES, None, 2),
        (Reason.TOO_MANY_PROFILES, "too many", 3),
        (Reason.TOO_MANY_PROFILES, None, 6),
        (Reason.TOO_MANY_PROFILES, "neither", 6),
    ]
    assert stage.made == 2
    assert ("known", "u2") in stage.sent
    stage.clock.sleep(86_400)
    stage.event("profile", "u3")
    stage.run_for()
    assert stage.sent[-1] == ("identify", "u3")


def test_what_was_made_today_counts_after_a_restart(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Unidentified.SEND, per_day=1)
    stage.event("profile", "u1")
    stage.run_and_stop()
    again = Stage(tmp_path, Unidentified.SEND, per_day=1, log=stage.log)
    again.event("profile", "u2")
    again.run_for()
    assert [reason for reason, _, _ in again.letters] == [Reason.TOO_MANY_PROFILES]
