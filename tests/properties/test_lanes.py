"""The lanes against a naive model: order within a lane, one batch in flight a lane, limits kept, nothing forgotten."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.calls import CallKind
from pipeline.delivery.batch import Operation
from pipeline.delivery.lanes import ALONE_KINDS, BATCH_OVERHEAD_BYTES, Lanes
from pipeline.kafka.assignment import AssignedPartition
from pipeline.records import TopicPartition
from tests.operations_made import make_operation

MAX_BYTES, MAX_ITEMS, LINGER_S = 1_000, 6, 5.0


class LanesMachine(RuleBasedStateMachine):
    """Operations come, travel in batches, are confirmed or given up in part, and partitions go away."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes(max_bytes=MAX_BYTES, max_items=MAX_ITEMS, linger_s=LINGER_S)
        self.partitions = [AssignedPartition(TopicPartition("events", number)) for number in range(2)]
        self.waiting: list[Operation] = []  # in the order in which they must go, lane by lane
        self.in_flight: list[tuple[Operation, ...]] = []
        self.now = 0.0

    @property
    def busy(self) -> set[int]:
        return {lane for batch in self.in_flight for operation in batch for lane in operation.lanes}

    def queue(self, lane: int) -> list[Operation]:
        return [operation for operation in self.waiting if lane in operation.lanes]

    @property
    def ready(self) -> list[Operation]:
        """The operations that can go now, oldest first: at the head of every lane of theirs, and all those free."""
        busy = self.busy
        return sorted(
            (
                operation
                for operation in self.waiting
                if not busy & set(operation.lanes)
                and all(self.queue(lane)[0] is operation for lane in operation.lanes)
            ),
            key=lambda operation: operation.sequence,
        )

    @rule(
        lane=st.integers(0, 4),
        also=st.integers(0, 4),
        size=st.integers(1, 700),
        kind=st.sampled_from(
            [
                CallKind.TRACK,
                CallKind.TRACK,
                CallKind.PAGE,
                CallKind.IDENTIFY,
                CallKind.DESTROY,
                CallKind.MERGE,
            ]
        ),
        partition=st.integers(0, 1),
        single=st.sampled_from([False, False, False, True]),
    )
    def an_operation_is_added(
        self, lane: int, also: int, size: int, kind: CallKind, partition: int, single: bool
    ) -> None:
        operation = make_operation(
            lane,
            kind=kind,
            size=size,
            queued_at=self.now,
            partition=self.partitions[partition],
            also=also if kind is CallKind.MERGE else None,
            single=single,
        )
        self.lanes.add(operation)
        self.waiting.append(operation)

    @rule(seconds=st.floats(0, LINGER_S))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(flush=st.booleans())
    def a_batch_is_taken(self, flush: bool) -> None:
        ready, busy = self.ready, self.busy
        batch = self.lanes.take(self.now, flush=flush)
        if not batch:
            assert not (ready and flush), "a flush leaves nothing waiting that can go"
            assert not (ready and ready[0].queued_at + LINGER_S <= self.now), (
                "an operation outlived its linger"
            )
            return
        assert batch[0] is ready[0], "an older operation was passed over"
        assert len(batch) <= MAX_ITEMS
        assert len(batch) == 1 or self.body_bytes(batch) <= MAX_BYTES
        assert len(batch) == 1 or not any(operation.single for operation in batch)
        assert not busy & {lane for operation in batch for lane in operation.lanes}, (
            "a lane is in two batches"
        )
        for lane in {lane for operation in batch for lane in operation.lanes}:
            mine = [operation for operation in batch if lane in operation.lanes]
            assert mine == self.queue(lane)[: len(mine)], "order within the lane was lost"
            kinds = [operation.kind for operation in mine]
            assert len(mine) == 1 or not ALONE_KINDS & set(kinds)
            if CallKind.IDENTIFY in kinds:
                behind = kinds[kinds.index(CallKind.IDENTIFY) :]
                assert set(behind) == {CallKind.IDENTIFY}, "a call travels behind its person's identify"
        self.waiting = [operation for operation in self.waiting if operation not in batch]
        self.in_flight.append(batch)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def a_batch_comes_back(self, data: st.DataObject) -> None:
        batch = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        again = [operation for operation in batch if data.draw(st.booleans())]
        self.lanes.release(batch, again)
        self.waiting = again + self.waiting

    @rule(partition=st.integers(0, 1))
    def a_partition_goes_away(self, partition: int) -> None:
        gone = self.partitions[partition]
        self.lanes.discard(lambda operation: operation.record.partition is gone)
        self.waiting = [operation for operation in self.waiting if operation.record.partition is not gone]

    @invariant()
    def nothing_is_forgotten(self) -> None:
        assert len(self.lanes) == len(self.waiting)
        ready = self.ready
        due_at = self.lanes.due_at()
        if not ready:
            assert due_at is None
        else:
            assert due_at in {0.0, ready[0].queued_at + LINGER_S}

    def teardown(self) -> None:
        """Everything goes in the end: no lane waits for another for ever."""
        for _ in range(2 * len(self.waiting) + len(self.in_flight) + 2):
            while self.in_flight:
                self.lanes.release(self.in_flight.pop())
            self.a_batch_is_taken(flush=True)
        assert not self.waiting

    @staticmethod
    def body_bytes(batch: tuple[Operation, ...]) -> int:
        return BATCH_OVERHEAD_BYTES + sum(len(operation.payload) + 1 for operation in batch) - 1


TestLanes = LanesMachine.TestCase
TestLanes.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
