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
        self.waiting: dict[int, list[Operation]] = {}
        self.in_flight: list[tuple[Operation, ...]] = []
        self.now = 0.0

    @property
    def busy(self) -> set[int]:
        return {operation.lane for batch in self.in_flight for operation in batch}

    @property
    def free_heads(self) -> list[Operation]:
        heads = [queue[0] for lane, queue in self.waiting.items() if queue and lane not in self.busy]
        return sorted(heads, key=lambda operation: operation.sequence)

    @rule(
        lane=st.integers(0, 4),
        size=st.integers(1, 700),
        kind=st.sampled_from(
            [CallKind.TRACK, CallKind.TRACK, CallKind.IDENTIFY, CallKind.DESTROY, CallKind.MERGE]
        ),
        partition=st.integers(0, 1),
    )
    def an_operation_is_added(self, lane: int, size: int, kind: CallKind, partition: int) -> None:
        operation = make_operation(
            lane, kind=kind, size=size, queued_at=self.now, partition=self.partitions[partition]
        )
        self.lanes.add(operation)
        self.waiting.setdefault(lane, []).append(operation)

    @rule(seconds=st.floats(0, LINGER_S))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(flush=st.booleans())
    def a_batch_is_taken(self, flush: bool) -> None:
        heads, busy = self.free_heads, self.busy
        batch = self.lanes.take(self.now, flush=flush)
        if not batch:
            assert not (heads and flush), "a flush leaves nothing waiting in a free lane"
            assert not (heads and heads[0].queued_at + LINGER_S <= self.now), (
                "an operation outlived its linger"
            )
            return
        assert len(batch) <= MAX_ITEMS
        assert len(batch) == 1 or self.body_bytes(batch) <= MAX_BYTES
        lanes_taken = list(dict.fromkeys(operation.lane for operation in batch))
        assert not busy & set(lanes_taken), "a lane is in two batches"
        assert lanes_taken == [head.lane for head in heads][: len(lanes_taken)], (
            "an older lane was passed over"
        )
        for lane in lanes_taken:
            mine = [operation for operation in batch if operation.lane == lane]
            assert mine == self.waiting[lane][: len(mine)], "order within the lane was lost"
            assert len(mine) == 1 or not any(operation.kind in ALONE_KINDS for operation in mine)
            del self.waiting[lane][: len(mine)]
        self.in_flight.append(batch)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def a_batch_comes_back(self, data: st.DataObject) -> None:
        batch = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        again = [operation for operation in batch if data.draw(st.booleans())]
        self.lanes.release(batch, again)
        for operation in reversed(again):
            self.waiting.setdefault(operation.lane, []).insert(0, operation)

    @rule(partition=st.integers(0, 1))
    def a_partition_goes_away(self, partition: int) -> None:
        gone = self.partitions[partition]
        count = self.lanes.discard(lambda operation: operation.record.partition is gone)
        before = sum(map(len, self.waiting.values()))
        self.waiting = {
            lane: [operation for operation in queue if operation.record.partition is not gone]
            for lane, queue in self.waiting.items()
        }
        assert count == before - sum(map(len, self.waiting.values()))

    @invariant()
    def nothing_is_forgotten(self) -> None:
        assert len(self.lanes) == sum(map(len, self.waiting.values()))
        heads = self.free_heads
        due_at = self.lanes.due_at()
        free = [op for lane, queue in self.waiting.items() if lane not in self.busy for op in queue]
        full = len(free) >= MAX_ITEMS or self.body_bytes(tuple(free)) > MAX_BYTES
        if not heads:
            assert due_at is None
        elif full:
            assert due_at == 0.0
        else:
            assert due_at in {0.0, heads[0].queued_at + LINGER_S}

    @staticmethod
    def body_bytes(batch: tuple[Operation, ...]) -> int:
        return BATCH_OVERHEAD_BYTES + sum(len(operation.payload) + 1 for operation in batch) - 1


TestLanes = LanesMachine.TestCase
TestLanes.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
