"""Whether a replay begins, goes on or is done, and what it says when it may do neither."""

import socket
from dataclasses import replace

import pytest

from pipeline.errors import ConfigurationError
from pipeline.kafka.replay_progress import KeptReplay, Mark
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import TopicPartition
from pipeline.replay.resume import (
    STALE_AFTER_S,
    Begin,
    Finished,
    GoOn,
    Request,
    decide,
    has_ended,
    this_process,
)

NOW = 1_800_000_000.0
ASKED = Request("lost-hour", "bounds", "options", "mapping")
MARK = Mark("run", 1, "host/space/7", int((NOW - 1) * 1000), "bounds", "options", "mapping", 2)
RANGES = {TopicPartition("t", number): ReplayRange(10, 20) for number in (0, 1)}


def kept(at: int = 15, mark: Mark = MARK, partitions: int = 2) -> KeptReplay:
    names = list(RANGES)[:partitions]
    return KeptReplay(mark, {name: RANGES[name] for name in names}, dict.fromkeys(names, at))


def nobody_is_known_to_be_gone(owner: str) -> bool:
    return False


def decided(request: Request, found: KeptReplay | None) -> Begin | GoOn | Finished:
    return decide(request, found, NOW, nobody_is_known_to_be_gone)


LET_GO = replace(MARK, owner="")


def test_a_name_of_which_nothing_is_kept_begins() -> None:
    assert decided(ASKED, None) == Begin()


def test_without_bounds_there_is_nothing_to_begin_with() -> None:
    with pytest.raises(
        ConfigurationError, match=r"nothing is kept under the name 'lost-hour'.*offsets\.retention"
    ):
        decided(replace(ASKED, bounds=None), None)


def test_what_was_let_go_goes_on_where_it_stood_with_or_without_bounds() -> None:
    going_on = GoOn(RANGES, dict.fromkeys(RANGES, 15), "bounds")
    assert decided(ASKED, kept(mark=LET_GO)) == going_on
    assert decided(replace(ASKED, bounds=None), kept(mark=LET_GO)) == going_on


def test_an_owner_with_a_fresh_heartbeat_is_not_disturbed_even_by_restart() -> None:
    for request in (ASKED, replace(ASKED, restart=True)):
        with pytest.raises(
            ConfigurationError, match=r"is running: host/space/7 showed a sign of life 1 s ago"
        ):
            decided(request, kept())


def test_an_owner_is_passed_over_when_it_is_taken_over_gone_or_silent_for_too_long() -> None:
    assert isinstance(decided(replace(ASKED, take_over=True), kept()), GoOn)
    assert isinstance(decide(ASKED, kept(), NOW, lambda owner: owner == MARK.owner), GoOn)
    silent = replace(MARK, heartbeat_ms=int((NOW - STALE_AFTER_S) * 1000))
    assert isinstance(decided(ASKED, kept(mark=silent)), GoOn)


def test_an_owner_whose_clock_runs_ahead_is_alive() -> None:
    with pytest.raises(ConfigurationError, match="a sign of life 0 s ago"):
        decided(ASKED, kept(mark=replace(MARK, heartbeat_ms=int((NOW + 30) * 1000))))


def test_restart_begins_again_also_what_is_finished_or_half_forgotten() -> None:
    request = replace(ASKED, restart=True)
    assert decided(request, kept(20, LET_GO)) == Begin()
    assert decided(request, kept(15, LET_GO, partitions=1)) == Begin()
    with pytest.raises(ConfigurationError, match="--restart needs --from"):
        decided(replace(request, bounds=None), kept(mark=LET_GO))


def test_what_is_done_says_when() -> None:
    assert decided(ASKED, kept(20, LET_GO)) == Finished(LET_GO.heartbeat_ms)
    assert decided(replace(ASKED, bounds=None), kept(20, LET_GO)) == Finished(LET_GO.heartbeat_ms)


def test_what_is_done_is_not_the_answer_to_another_question() -> None:
    for changed in (replace(ASKED, bounds="others"), replace(ASKED, options="others")):
        with pytest.raises(ConfigurationError, match=r"was begun with other .* --restart or another --name"):
            decided(changed, kept(20, LET_GO))


def test_what_is_done_needs_no_mapping_any_more() -> None:
    assert isinstance(decided(replace(ASKED, mapping="other"), kept(20, LET_GO)), Finished)


def test_what_is_half_forgotten_is_never_taken_for_finished() -> None:
    with pytest.raises(ConfigurationError, match="1 of 2 partitions are left; use --restart"):
        decided(ASKED, kept(20, LET_GO, partitions=1))


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (replace(ASKED, bounds="others"), "was begun with other bounds"),
        (replace(ASKED, options="others"), "was begun with other choices"),
        (replace(ASKED, mapping="other"), "the mapping has changed"),
    ],
)
def test_what_is_asked_must_be_what_was_begun(changed: Request, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        decided(changed, kept(mark=LET_GO))


def test_a_changed_mapping_may_be_accepted() -> None:
    request = replace(ASKED, mapping="other", accept_mapping=True)
    assert isinstance(decided(request, kept(mark=LET_GO)), GoOn)


def test_processes_of_this_machine_are_known_to_have_ended_others_are_not() -> None:
    place, _, own = this_process().rpartition("/")
    assert has_ended(f"{place}/{own}"), "an owner of our number was before us: we have only just started"
    assert has_ended(f"{place}/{2**22 - 1}")
    assert not has_ended(f"{place}/1"), "it is alive, whoever it is"
    assert not has_ended(f"elsewhere/{2**22 - 1}")
    assert not has_ended(f"{socket.gethostname()}/another-container/{2**22 - 1}")
    assert not has_ended("")
