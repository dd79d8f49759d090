"""What is measured of a batch: how full it was, and how old its first and last call were when they were confirmed."""

import asyncio
from collections.abc import Sequence

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.delivery.admission import Admission
from pipeline.delivery.batch import ABANDONED, CONFIRMED, Batch, BatchResult, Failed, Operation, Outcome
from pipeline.delivery.hold import Hold
from pipeline.delivery.measured import MeasuredCourier
from pipeline.delivery.open_record import OpenRecord
from pipeline.measures import DeliveryMeasures
from pipeline.records import Record
from tests.fakes.api import unlimited
from tests.fakes.clock import FakeClock
from tests.operations_made import PARTITION


class SlowCourier:
    """Ends each batch with these outcomes after some seconds on the fake clock."""

    def __init__(self, clock: FakeClock, seconds: float, outcomes: Sequence[Outcome]) -> None:
        self.hold = Hold()
        self.admission: Admission = unlimited()
        self._clock = clock
        self._seconds = seconds
        self._outcomes = outcomes

    async def deliver(self, batch: Batch) -> BatchResult:
        self._clock.sleep(self._seconds)
        return BatchResult(batch, self._outcomes)


def call(clock: FakeClock, *, written_s_ago: float | None, read_s_ago: float) -> Operation:
    written_ms = None if written_s_ago is None else round((clock.now() - written_s_ago) * 1000)
    record = OpenRecord(Record("shop", 0, 0, timestamp_ms=written_ms), PARTITION, calls=1, weight=0)
    queued_at = clock.monotonic() - read_s_ago
    return Operation(CallSource("rule", CallKind.TRACK, "e"), None, b"x", record, (0,), 0, queued_at)


def deliver(clock: FakeClock, outcomes: Sequence[Outcome], *operations: Operation) -> DeliveryMeasures:
    measures = DeliveryMeasures()
    courier = MeasuredCourier(
        SlowCourier(clock, 2.0, outcomes),
        measures,
        max_items=10,
        monotonic=clock.monotonic,
        now=clock.now,
    )
    result = asyncio.run(courier.deliver(Batch(1, operations)))
    assert result.outcomes == outcomes
    return measures


def test_the_first_and_the_last_call_tell_their_delays_and_those_between_do_not() -> None:
    clock = FakeClock()
    calls = [call(clock, written_s_ago=ago, read_s_ago=ago / 2) for ago in (100.0, 7.0, 5.0, 2.0)]
    measures = deliver(clock, [CONFIRMED] * 4, *calls)
    assert measures.since_written.picture().count == 2
    assert round(measures.since_written.picture().total, 2) == (100 + 2) + (2 + 2)
    assert round(measures.since_read.picture().total, 2) == (50 + 2) + (1 + 2)


def test_a_batch_of_one_call_is_measured_once() -> None:
    clock = FakeClock()
    measures = deliver(clock, [CONFIRMED], call(clock, written_s_ago=1, read_s_ago=1))
    assert measures.since_read.picture().count == 1


def test_a_call_that_is_not_confirmed_has_no_delay() -> None:
    clock = FakeClock()
    calls = [call(clock, written_s_ago=1, read_s_ago=1) for _ in range(2)]
    measures = deliver(clock, [ABANDONED, Failed(Reason.REJECTED, "no")], *calls)
    assert measures.since_written.picture().count == measures.since_read.picture().count == 0


def test_a_record_without_a_timestamp_tells_only_when_it_was_read() -> None:
    clock = FakeClock()
    measures = deliver(clock, [CONFIRMED], call(clock, written_s_ago=None, read_s_ago=1))
    assert (measures.since_written.picture().count, measures.since_read.picture().count) == (0, 1)


def test_a_producer_whose_clock_runs_ahead_makes_no_negative_delay() -> None:
    clock = FakeClock()
    measures = deliver(clock, [CONFIRMED], call(clock, written_s_ago=-3_600, read_s_ago=1))
    assert measures.since_written.picture().total == 0


def test_the_fill_is_the_part_of_the_limit() -> None:
    clock = FakeClock()
    calls = [call(clock, written_s_ago=1, read_s_ago=1) for _ in range(5)]
    measures = deliver(clock, [CONFIRMED] * 5, *calls)
    assert measures.items_fill.picture().total == 0.5
