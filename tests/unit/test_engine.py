"""The engine's promises, one by one, on fakes and a fake clock."""

from collections.abc import Sequence

import pytest

from pipeline.backpressure import OpenLimits
from pipeline.calls import Reason
from pipeline.delivery.batch import CONFIRMED, Batch, Failed, Outcome
from pipeline.engine import EngineOptions
from pipeline.errors import RemoteRefusedError
from tests.engine_made import P0, P1, Rig, call
from tests.fakes.sender import confirm_all, never


def refuse(*persons: str) -> "object":
    def answer(batch: Batch) -> Sequence[Outcome]:
        return [
            Failed(Reason.REJECTED, "refused", status=207, answer="no")
            if operation.identity and operation.identity.value in persons
            else CONFIRMED
            for operation in batch.operations
        ]

    return answer


def test_what_is_read_is_delivered_and_committed() -> None:
    rig = Rig()
    rig.append(call("identify", "ann"), call("track", "ann", "signed_up"))
    rig.append(call("track", "bob", "seen"), partition=1)
    rig.run_until_drained()
    assert sorted(rig.delivered, key=lambda sent: (sent[0], sent[1] or "")) == [
        ("ann", None),
        ("ann", "signed_up"),
        ("bob", "seen"),
    ]
    assert rig.committed == {P0: 1, P1: 1}
    assert rig.sender.closed
    assert rig.source.closed
    assert rig.dead_letters.closed


def test_nothing_is_committed_before_it_is_confirmed() -> None:
    rig = Rig(answer=never)
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.run_for(60)
    assert len(rig.sender.sent) == 1
    assert rig.committed == {}


def test_the_watermark_stops_at_the_lowest_open_record_while_later_ones_settle() -> None:
    rig = Rig(
        answer=lambda batch: (
            None if any(op.source.name == "slow" for op in batch.operations) else confirm_all(batch)
        ),
        max_items=1,
    )
    rig.start()
    for name, person in (("a", "ann"), ("slow", "bob"), ("c", "cid"), ("d", "dan")):
        rig.append(call("track", person, name))
    rig.run_for(30)
    assert rig.committed == {P0: 1}


def test_skipped_and_dropped_records_are_passed_by_the_position() -> None:
    rig = Rig()
    rig.append_value(None)
    rig.append()
    rig.log.append_gap("events", 0, 3)
    rig.run_until_drained()
    assert rig.committed == {P0: 5}
    assert rig.tally.skipped == {"unmatched": 1, "dropped": 1}
    assert rig.delivered == []


def test_a_record_settles_only_when_all_its_calls_have() -> None:
    rig = Rig(
        answer=lambda batch: (
            None if any(op.source.name == "slow" for op in batch.operations) else confirm_all(batch)
        ),
        max_items=1,
    )
    rig.start()
    rig.append(call("track", "ann", "fast"), call("track", "bob", "slow"))
    rig.run_for(30)
    assert rig.committed == {}


def test_undecodable_bytes_cost_only_themselves() -> None:
    rig = Rig()
    rig.append(call("track", "ann", "a"))
    bad = rig.append_value(b'{"secret": ')
    rig.append(call("track", "ann", "b"))
    rig.run_until_drained()
    assert rig.delivered == [("ann", "a"), ("ann", "b")]
    assert [(entry.record, entry.reason) for entry in rig.dead_letters.safe] == [(bad, Reason.UNDECODABLE)]
    assert "secret" not in rig.dead_letters.safe[0].text
    assert rig.committed == {P0: 3}


def test_a_refused_call_goes_to_the_dead_letters_and_all_others_are_delivered() -> None:
    rig = Rig(answer=refuse("bad"))  # type: ignore[arg-type]
    rig.append(call("track", "ann", "a"))
    rig.append(call("track", "bad", "b"), call("track", "bob", "b"))
    rig.run_until_drained()
    (entry,) = rig.dead_letters.safe
    assert (entry.record.offset, entry.reason, entry.status, entry.answer) == (1, Reason.REJECTED, 207, "no")
    assert str(entry.source) == "rule/track:b"
    assert rig.tally.delivered.total() == 2
    assert rig.committed == {P0: 2}


def test_a_call_that_is_too_large_is_never_sent() -> None:
    rig = Rig()
    rig.append(call("track", "ann", "x" * 120_000))
    rig.run_until_drained()
    assert rig.delivered == []
    assert [entry.reason for entry in rig.dead_letters.safe] == [Reason.TOO_LARGE]


def test_while_the_dead_letters_cannot_be_kept_nothing_is_committed_past_them() -> None:
    rig = Rig()
    rig.dead_letters.broken = "the disk is full"
    rig.start()
    rig.append_value(b"not json")
    rig.run_for(30)
    assert rig.committed == {}
    assert rig.source.paused == {P0, P1}
    assert rig.engine.status.reasons == ("the disk is full",)
    rig.dead_letters.broken = None
    rig.run_for(20)
    assert rig.committed == {P0: 1}
    assert rig.source.paused == set()
    assert len(rig.dead_letters.safe) == 1


def test_one_persons_calls_are_sent_in_order_with_one_batch_in_flight() -> None:
    rig = Rig(latency_s=0.5, max_items=3)
    for number in range(20):
        rig.append(call("track", "ann", str(number)), call("track", f"p{number}", str(number)))
    rig.run_until_drained()
    mine = [name for person, name in rig.delivered if person == "ann"]
    assert mine == [str(number) for number in range(20)]


def test_reading_pauses_while_too_much_is_open_and_goes_on_later() -> None:
    rig = Rig(answer=never, options=EngineOptions(open_limits=OpenLimits(max_records=5), poll_max_records=5))
    rig.start()
    for number in range(30):
        rig.append(call("track", f"p{number}", "a"))
    rig.run_for(5)
    assert rig.source.paused == {P0, P1}
    assert rig.engine.status.open_records == 5
    polls = rig.source.polls
    rig.run_for(5)
    assert rig.source.polls > polls, "polling must go on while reading is paused"
    rig.sender.answer = confirm_all
    rig.run_for(30)
    assert rig.committed == {P0: 30}


def test_partitions_that_arrive_while_reading_is_paused_are_paused_too() -> None:
    rig = Rig(answer=never, options=EngineOptions(open_limits=OpenLimits(max_records=1)))
    rig.log.take_away(P1)
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.run_for(1)
    rig.log.give_back(P1)
    rig.run_for(1)
    assert rig.source.paused == {P0, P1}


def test_a_revoke_drains_and_commits_before_it_returns() -> None:
    rig = Rig(latency_s=0.3)
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.step(2)
    rig.log.take_away(P0)
    rig.step()
    assert rig.committed == {P0: 1}
    assert rig.source.assigned == {P1}


def test_a_revoke_gives_up_at_its_deadline_and_keeps_what_belongs_to_kept_partitions() -> None:
    rig = Rig(answer=never)
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.append(call("track", "bob", "b"), partition=1)
    rig.run_for(1)
    assert rig.engine.status.batches_in_flight == 1
    rig.log.take_away(P0)
    before = rig.clock.monotonic()
    rig.step()
    assert 10 <= rig.clock.monotonic() - before < 11
    assert rig.committed == {}
    rig.sender.answer = confirm_all
    rig.run_for(10)
    assert rig.committed == {P1: 1}, "the kept partition's call was queued again"
    assert rig.delivered[-1] == ("bob", "b")
    assert rig.delivered.count(("ann", "a")) == 1, "the revoked partition's call was dropped"


def test_lost_partitions_commit_nothing_and_their_late_results_are_ignored() -> None:
    rig = Rig(latency_s=2.0)
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.step(2)
    rig.source.lose(P0)
    rig.step(2)
    assert rig.committed == {}
    rig.run_for(30)
    assert rig.committed == {P0: 1}, "read again under the new assignment and committed by it"
    assert rig.delivered == [("ann", "a"), ("ann", "a")]


def test_a_partition_revoked_and_won_back_in_one_poll_starts_with_a_new_tracker() -> None:
    rig = Rig()
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.step(2)
    rig.source.bounce(P0, P1)
    rig.append(call("track", "ann", "b"))
    rig.run_for(10)
    assert rig.committed == {P0: 2}
    assert rig.delivered == [("ann", "a"), ("ann", "b")]


def test_a_refused_commit_is_tried_again_and_never_counts_as_committed() -> None:
    rig = Rig()
    rig.start()
    rig.source.refuse_commits("a rebalance is in progress", times=2)
    rig.append(call("track", "ann", "a"))
    rig.run_for(11)
    assert rig.committed == {}
    rig.run_for(10)
    assert rig.committed == {P0: 1}
    assert rig.tally.commits["refused"] == 2


def test_a_destroy_is_committed_without_waiting_for_the_interval() -> None:
    rig = Rig(options=EngineOptions(commit_interval_s=1_000))
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.run_for(5)
    assert rig.committed == {}
    rig.append(call("destroy", "ann"))
    rig.run_for(1)
    assert rig.committed == {P0: 2}


def test_committed_offsets_never_go_back() -> None:
    rig = Rig(options=EngineOptions(commit_interval_s=0.1))
    rig.start()
    for number in range(40):
        rig.append(call("track", f"p{number % 7}", str(number)))
        rig.run_for(0.2)
    offsets = [commit[P0] for commit in rig.log.commits]
    assert offsets == sorted(set(offsets))


def test_stopping_finishes_what_is_in_flight_and_leaves_nothing_to_send_again() -> None:
    rig = Rig(latency_s=3.0)
    for number in range(10):
        rig.append(call("track", f"p{number}", "a"))
    rig.engine.run(lambda: bool(rig.sender.sent))
    assert rig.committed == {P0: 10}
    again = Rig(rig.log)
    again.append(call("track", "new", "b"))
    again.run_until_drained()
    assert again.delivered == [("new", "b")]


def test_stopping_gives_up_at_the_deadline_and_commits_nothing_that_is_open() -> None:
    rig = Rig(answer=never)
    rig.append(call("track", "ann", "a"))
    rig.engine.run(lambda: bool(rig.sender.sent))
    assert rig.committed == {}
    assert rig.sender.closed


def test_stopping_while_delivery_holds_does_not_wait_for_the_deadline() -> None:
    rig = Rig(answer=never)
    rig.append(call("track", "ann", "a"))
    rig.sender.held = "the key is wrong"
    before = rig.clock.monotonic()
    rig.engine.run(lambda: bool(rig.sender.sent))
    assert rig.clock.monotonic() - before < 2
    assert rig.committed == {}


def test_an_error_of_the_source_ends_the_engine_and_releases_everything() -> None:
    rig = Rig()
    rig.append(call("track", "ann", "a"))
    rig.source.fail(RemoteRefusedError("not allowed to read"))
    with pytest.raises(RemoteRefusedError, match="not allowed to read"):
        rig.engine.run(lambda: False)
    assert rig.sender.closed
    assert rig.dead_letters.closed
    assert rig.committed == {}


def test_readiness_tells_why_it_is_red() -> None:
    rig = Rig(answer=never)

    def is_ready() -> bool:
        return rig.engine.status.ready

    assert not is_ready()
    rig.start()
    rig.run_for(2)
    assert is_ready()
    rig.sender.held = "the key is wrong: set customerio.api_key"
    rig.source.trouble_now = "no broker at 127.0.0.1:9092 answers"
    rig.run_for(2)
    assert not is_ready()
    assert rig.engine.status.reasons == (
        "no broker at 127.0.0.1:9092 answers",
        "the key is wrong: set customerio.api_key",
    )


def test_a_full_batch_does_not_wait_for_the_linger_and_a_lone_call_does() -> None:
    rig = Rig(max_items=3)
    rig.start()
    rig.step()
    before = rig.clock.monotonic()
    for number in range(3):
        rig.append(call("track", f"p{number}", "a"))
    rig.step()
    assert rig.clock.monotonic() == before
    assert [len(batch.operations) for batch in rig.sender.sent] == [3]
    rig.append(call("track", "ann", "a"))
    rig.step()
    assert len(rig.sender.sent) == 1
    rig.run_for(0.06)
    assert len(rig.sender.sent) == 2
