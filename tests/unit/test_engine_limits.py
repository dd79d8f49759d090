"""What the engine does when too much is wrong, too much is open, or too long has passed (G6, G7, G10)."""

import pytest

from pipeline.backpressure import OpenLimits
from pipeline.calls import CallKind, Reason
from pipeline.deadletters.keeper import FailureLimits
from pipeline.delivery.batch import CONFIRMED, Batch, Failed, Outcome
from pipeline.delivery.lease import Lease
from pipeline.engine import NOT_POLLED, EngineOptions
from pipeline.errors import ExitStatus, LimitReachedError, RemoteRefusedError
from pipeline.records import Position, TopicPartition
from tests.engine_made import P0, P1, Rig, call
from tests.fakes.kafka_log import FakeLog
from tests.fakes.sender import confirm_all, never

WINDOW = 100


def stopping() -> FailureLimits:
    return FailureLimits(share=0.5, window=WINDOW, action="stop")


def test_a_lone_bad_record_is_settled_as_soon_as_its_neighbours_are_well() -> None:
    rig = Rig()
    rig.start()
    rig.append_value(b"not json")
    for number in range(3):
        rig.append(call("track", f"p{number}", "a"))
    rig.run_for(6)
    assert rig.committed == {P0: 4}


def test_a_bad_record_with_no_neighbours_is_settled_a_little_later() -> None:
    rig = Rig()
    rig.start()
    rig.append_value(b"not json")
    rig.run_for(8)
    assert rig.committed == {}
    rig.run_for(10)
    assert rig.committed == {P0: 1}


def test_twenty_restarts_do_not_pour_a_topic_into_the_dead_letters() -> None:
    """G6 across restarts: whichever partition each process reads first, no more than a window is written."""
    log = FakeLog({"events": 20})
    for number in range(4_000):
        log.append("events", number % 20, b"broken by a release")
    distinct: set[Position] = set()
    for restart in range(20):
        rig = Rig(log, failure_limits=stopping(), options=EngineOptions(poll_max_records=10))
        log.take_away(*log.partitions)
        log.give_back(TopicPartition("events", restart))
        with pytest.raises(
            LimitReachedError, match=r"100% of the last 100 records could not be mapped"
        ) as caught:
            rig.engine.run(lambda: False)
        assert caught.value.exit_status is ExitStatus.LIMIT
        assert rig.committed == {}
        distinct |= {entry.record.position for entry in rig.dead_letters.safe}
    assert 20 <= len(distinct) <= WINDOW


def test_what_fails_first_is_seen_at_once_and_settled_later() -> None:
    rig = Rig()
    rig.start()
    rig.append_value(b"not json")
    rig.step(2)
    assert [entry.record.offset for entry in rig.dead_letters.safe] == [0]
    assert rig.committed == {}


def test_what_has_passed_probation_is_written_once() -> None:
    rig = Rig(failure_limits=FailureLimits(window=WINDOW), options=EngineOptions(poll_max_records=7))
    for number in range(600):
        if number < 30 or number % 4 == 0:  # too many at first
            rig.append_value(b"broken")
        else:
            rig.append(call("track", f"p{number}", "a"))
    rig.run_until_drained()
    assert rig.committed == {P0: 600}
    offsets = [entry.record.offset for entry in rig.dead_letters.safe]
    assert sorted(offsets) == [number for number in range(600) if number < 30 or number % 4 == 0]


def test_what_is_on_probation_when_its_partition_goes_is_left_to_the_next_reader() -> None:
    rig = Rig(failure_limits=FailureLimits(window=WINDOW))
    rig.start()
    for _ in range(30):
        rig.append_value(b"broken")
    rig.run_for(5)
    seen_at_once = len(rig.dead_letters.safe)
    assert seen_at_once == WINDOW // 20
    rig.log.take_away(P0)
    rig.run_for(100)
    assert len(rig.dead_letters.safe) == seen_at_once
    rig.log.give_back(P0)
    rig.run_for(100)
    assert rig.committed == {P0: 30}
    assert {entry.record.offset for entry in rig.dead_letters.safe} == set(range(30))


def test_at_the_limit_it_holds_with_readiness_red_and_sends_nothing_more() -> None:
    rig = Rig(failure_limits=FailureLimits(window=WINDOW), options=EngineOptions(poll_max_records=10))
    rig.start()
    for _ in range(300):
        rig.append_value(b"broken")
    rig.append(call("track", "ann", "a"))
    rig.run_for(300)
    assert rig.committed == {}
    assert rig.source.paused == {P0, P1}
    assert not rig.engine.status.ready
    assert "100% of the last 100 records could not be mapped" in rig.engine.status.reasons[0]
    assert 0 < len(rig.dead_letters.safe) <= WINDOW
    assert rig.delivered == []


def test_what_was_read_before_things_broke_stays_committed() -> None:
    rig = Rig(failure_limits=stopping(), options=EngineOptions(poll_max_records=10, commit_interval_s=0.2))
    for number in range(200):
        rig.append(call("track", f"p{number}", "a"))
    for _ in range(300):
        rig.append_value(b"broken")
    with pytest.raises(LimitReachedError):
        rig.engine.run(lambda: False)
    committed = rig.committed[P0]
    assert 200 <= committed <= 200 + WINDOW // 2 + 10


def test_a_share_below_the_limit_goes_on() -> None:
    rig = Rig(failure_limits=stopping())
    for number in range(300):
        if number % 3 == 0:
            rig.append_value(b"broken")
        else:
            rig.append(call("track", f"p{number}", "a"))
    rig.run_until_drained()
    assert rig.committed == {P0: 300}
    assert len(rig.dead_letters.safe) == 100


def test_without_a_limit_everything_may_fail() -> None:
    rig = Rig(failure_limits=FailureLimits(share=None, window=WINDOW))
    for _ in range(300):
        rig.append_value(b"broken")
    rig.run_until_drained()
    assert rig.committed == {P0: 300}


def refuse_all(batch: Batch) -> list[Outcome]:
    return [Failed(Reason.REJECTED, "refused", attempts=1) for _ in batch.operations]


def refuse_bad(batch: Batch) -> list[Outcome]:
    return [
        Failed(Reason.REJECTED, "refused", attempts=1)
        if operation.identity and operation.identity.value == "bad"
        else CONFIRMED
        for operation in batch.operations
    ]


@pytest.mark.parametrize(
    ("never_sent", "limits"),
    [
        (b"null", FailureLimits(unmatched_share=0.95, window=WINDOW)),
        (b"broken", FailureLimits(share=0.9, window=WINDOW)),
    ],
    ids=["no rule matches them", "they cannot be mapped"],
)
def test_records_that_were_never_sent_do_not_count_as_accepted(
    never_sent: bytes, limits: FailureLimits
) -> None:
    """G6: everything that was sent is refused, so delivery holds, however much was not sent."""
    rig = Rig(
        answer=refuse_all,
        log=FakeLog({"events": 1}),
        failure_limits=limits,
        options=EngineOptions(poll_max_records=20),
    )
    for number in range(3_000):
        if number % 10 < 8:
            rig.append_value(never_sent)
        else:
            rig.append(call("identify", f"p{number}"))
    rig.start()
    rig.run_for(300)
    refused = [entry for entry in rig.dead_letters.safe if entry.reason is Reason.REJECTED]
    assert len(refused) <= WINDOW
    assert "100% of the last 100 records were refused" in rig.engine.status.reasons[0]


def test_a_record_of_which_a_part_was_accepted_and_none_refused_counts_as_accepted() -> None:
    rig = Rig(answer=refuse_bad, failure_limits=FailureLimits(share=0.7, window=WINDOW))
    for number in range(1_000):
        if number % 10 < 4:
            rig.append(call("identify", "bad"))
        else:
            rig.append(call("identify", "good"), ["fail", "good"])
    rig.run_until_drained()
    assert rig.committed == {P0: 1_000}


def test_records_that_no_rule_matches_hold_where_a_limit_is_set() -> None:
    limits = FailureLimits(unmatched_share=0.9, window=WINDOW)
    rig = Rig(failure_limits=limits, options=EngineOptions(poll_max_records=10))
    rig.start()
    for _ in range(300):
        rig.append_value(None)
    rig.run_for(200)
    assert rig.committed == {}
    assert "matched no rule" in rig.engine.status.reasons[0]


def test_records_that_no_rule_matches_pass_while_enough_others_do() -> None:
    rig = Rig(failure_limits=FailureLimits(unmatched_share=0.9, window=WINDOW))
    for number in range(300):
        if number % 2:
            rig.append_value(None)
        else:
            rig.append(call("track", f"p{number}", "a"))
    rig.run_until_drained()
    assert rig.committed == {P0: 300}


def test_a_stuck_record_stretches_its_partition_only_so_far_and_not_the_others() -> None:
    def answer(batch: object) -> object:
        operations = batch.operations  # type: ignore[attr-defined]
        stuck = any(operation.source.name == "stuck" for operation in operations)
        return None if stuck else confirm_all(batch)  # type: ignore[arg-type]

    options = EngineOptions(poll_max_records=5, open_limits=OpenLimits(max_span=20))
    rig = Rig(answer=answer, options=options, max_items=1)  # type: ignore[arg-type]
    rig.start()
    rig.append(call("track", "ann", "stuck"))
    for number in range(100):
        rig.append(call("track", f"p{number}", "a"))
        rig.append(call("track", f"q{number}", "a"), partition=1)
    rig.run_for(30)
    assert rig.committed == {P1: 100}
    assert rig.source.paused == {P0}
    position = rig.source.position(P0)
    assert position is not None
    assert 20 <= position <= 30
    rig.sender.answer = confirm_all
    rig.run_for(30)
    assert rig.committed == {P0: 101, P1: 100}


def test_a_poll_brings_fewer_records_when_they_are_large() -> None:
    options = EngineOptions(poll_max_records=1_000, open_limits=OpenLimits(max_bytes=20_000_000))
    rig = Rig(answer=never, options=options)
    rig.start()
    for number in range(200):
        rig.append(call("track", f"p{number}", "x" * 90_000))
    open_bytes = []
    for _ in range(200):
        rig.step()
        open_bytes.append(rig.engine.status.open_bytes)
    assert max(open_bytes) < 45_000_000, "one poll overshot the limit by more than its own size"


def test_calls_that_are_due_and_may_not_go_keep_nobody_busy() -> None:
    rig = Rig(answer=never)
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.run_for(0.5)
    rig.dead_letters.broken = "the disk is full"
    rig.append_value(b"broken")
    rig.append(call("track", "bob", "b"))
    rig.step(20)
    began = rig.clock.monotonic()
    rig.step(100)
    assert rig.clock.monotonic() - began >= 1.0, "it goes round without a pause"


def test_a_frozen_engine_sends_nothing_until_the_group_has_been_heard() -> None:
    rig = Rig()
    rig.start()
    rig.step(2)
    rig.append(call("track", "ann", "a"))
    rig.clock.sleep(60)  # frozen for longer than its lease of 20 s
    rig.step(3)
    assert rig.sender.sent == []
    rig.run_for(6)
    assert rig.delivered == [("ann", "a")]


def test_a_frozen_engine_that_lost_its_partitions_never_sends_for_them() -> None:
    rig = Rig()
    rig.start()
    rig.append(call("track", "ann", "a"))
    rig.source.poll(0, 0)
    rig.step()
    sent = len(rig.sender.sent)
    rig.clock.sleep(60)
    rig.step()
    rig.log.take_away(P0, P1)
    rig.source.lose(P0, P1)
    rig.run_for(30)
    assert len(rig.sender.sent) == sent


def test_a_drain_that_outlasts_the_lease_still_sends() -> None:
    rig = Rig(latency_s=2.0, max_items=1, options=EngineOptions(drain_deadline_s=60), lease=Lease(3.0, 5.0))
    for number in range(8):
        rig.append(call("track", "ann", str(number)))
    rig.engine.run(lambda: bool(rig.sender.sent))
    assert rig.committed == {P0: 8}


def test_an_engine_that_polls_no_more_is_not_ready_and_is_again_when_it_may_send() -> None:
    rig = Rig(lease=Lease(3.0, 5.0))

    def reasons() -> tuple[str, ...]:
        return rig.engine.status.reasons

    rig.start()
    rig.run_for(2)
    assert reasons() == ()
    rig.clock.sleep(4)
    assert reasons() == (NOT_POLLED,)
    rig.step()
    assert reasons() == (NOT_POLLED,), "nothing is sent yet"
    rig.run_for(6)
    assert reasons() == ()
    assert rig.engine.status.ready


def test_the_requests_a_second_are_shared_by_the_partitions() -> None:
    rig = Rig()
    rig.log.take_away(P1)
    rig.start()
    rig.run_for(1.5)
    assert rig.sender.share == 0.5
    rig.log.give_back(P1)
    rig.run_for(1.5)
    assert rig.sender.share == 1.0


def test_a_destroy_never_travels_with_another_call_of_its_person() -> None:
    rig = Rig(max_items=100)
    for number in range(5):
        rig.append(
            call("track", "ann", f"a{number}"), call("destroy", "ann"), call("track", "bob", f"b{number}")
        )
    rig.run_until_drained()
    for batch in rig.sender.sent:
        anns = [op for op in batch.operations if op.identity and op.identity.value == "ann"]
        assert len(anns) == 1 or all(op.kind is CallKind.TRACK for op in anns)
    order = [
        operation.source.name or operation.kind.value
        for batch in rig.sender.sent
        for operation in batch.operations
        if operation.identity and operation.identity.value == "ann"
    ]
    assert order == ["a0", "destroy", "a1", "destroy", "a2", "destroy", "a3", "destroy", "a4", "destroy"]


def test_a_limit_that_is_reached_while_a_revoke_drains_still_lets_go() -> None:
    """G7: what is in flight is abandoned and the partition let go before the callback returns; the error goes on."""

    def answer(batch: Batch) -> list[Outcome] | None:
        return refuse_all(batch) if batch.number <= 2 else None

    limits = FailureLimits(share=0.5, window=20, action="stop")
    rig = Rig(answer=answer, latency_s=0.5, max_items=25, failure_limits=limits)
    for number in range(250):
        rig.append(call("identify", f"{number}"))
    rig.start()
    rig.step(12)
    assert len(rig.sender.sent) == 4, "batches are under way, and more calls wait"
    rig.log.take_away(P0)
    with pytest.raises(LimitReachedError):
        rig.step()
    assert_nothing_is_kept_of_p0(rig)


def test_an_error_while_a_loss_is_told_still_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(answer=never)
    rig.append(call("track", "ann", "a"))
    rig.start()
    rig.run_for(1)
    with monkeypatch.context() as broken:
        broken.setattr(rig.dead_letters, "flush", fail_for_good)
        rig.log.take_away(P0)
        rig.source.lose(P0)
        with pytest.raises(RemoteRefusedError):
            rig.step()
    assert_nothing_is_kept_of_p0(rig)


def fail_for_good() -> None:
    raise RemoteRefusedError("no")


def assert_nothing_is_kept_of_p0(rig: Rig) -> None:
    sent = len(rig.sender.sent)
    rig.run_for(2)
    status = rig.engine.status
    assert [partition.topic_partition for partition in status.partitions] == [P1]
    assert (status.open_records, status.waiting_calls, status.batches_in_flight) == (0, 0, 0)
    assert len(rig.sender.sent) == sent
