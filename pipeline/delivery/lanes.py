"""Order per person: operations wait in lanes, and batches are filled from the lanes that are free.

A lane is a queue. Operations of a lane are in at most one batch in flight, so no later one can overtake (G3). A merge
stands in the lanes of both its people and goes when it has come to the head of both.
A batch takes from many free lanes, the one with the oldest operation first, so that requests are few and full while
nobody waits longer than the linger.
"""

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from zlib import crc32

from pipeline.calls import CallKind
from pipeline.delivery.batch import Operation

LANE_COUNT = 1_024

ALONE_KINDS = frozenset({CallKind.DESTROY, CallKind.SUPPRESS, CallKind.UNSUPPRESS, CallKind.MERGE})
"""Calls that never share a batch with another call of their lane: the API promises no order inside a batch."""

BATCH_OVERHEAD_BYTES = len(b'{"batch":[]}')
ITEM_OVERHEAD_BYTES = len(b",")


def lane_of(key: str | bytes) -> int:
    """Return the lane of a normalised identity or of a record key."""
    return crc32(key.encode() if isinstance(key, str) else key) % LANE_COUNT


class _Lane:
    """A queue of operations, and whether some of them are in flight."""

    __slots__ = ("bytes", "in_flight", "queue")

    def __init__(self) -> None:
        self.queue: deque[Operation] = deque()
        self.bytes = 0
        self.in_flight = False


class Lanes:
    """All operations that wait to be sent.

    `linger_s` is how many seconds an operation may wait for company. With `identify_barrier` no other call of a
    person travels behind an identify of that person in the same batch.
    """

    def __init__(
        self, *, max_bytes: int, max_items: int, linger_s: float, identify_barrier: bool = True
    ) -> None:
        self._max_bytes = max_bytes - BATCH_OVERHEAD_BYTES
        self._max_items = max_items
        self._linger_s = linger_s
        self._identify_barrier = identify_barrier
        self._lanes: dict[int, _Lane] = {}
        # A heap of (sequence of the first operation, lane) of the lanes that can go; entries may be out of date.
        self._ready: list[tuple[int, int]] = []
        self._free_items = 0
        self._free_bytes = 0
        self._queued = 0

    def __len__(self) -> int:
        """How many operations wait, in free lanes or behind operations in flight."""
        return self._queued

    @property
    def blocked(self) -> int:
        """Lanes of which an operation waits behind one in flight."""
        return sum(1 for lane in self._lanes.values() if lane.in_flight and lane.queue)

    def add(self, operation: Operation) -> None:
        """Queue an operation behind all others of its lanes."""
        self._queued += 1
        size = len(operation.payload) + ITEM_OVERHEAD_BYTES
        offered = []
        for number in operation.lanes:
            lane = self._lanes.get(number)
            if lane is None:
                lane = self._lanes[number] = _Lane()
            lane.queue.append(operation)
            lane.bytes += size
            if not lane.in_flight:
                self._free_items += 1
                self._free_bytes += size
                if len(lane.queue) == 1:
                    offered.append(number)
        for number in offered:  # not before the operation stands in all of its lanes
            self._offer(number, self._lanes[number])

    def due_at(self) -> float | None:
        """Return when the next batch is due (monotonic): 0.0 when one is full, None when none can be made."""
        first = self._first()
        if first is None:
            return None
        if self._free_items >= self._max_items or self._free_bytes >= self._max_bytes:
            return 0.0
        return first.queue[0].queued_at + self._linger_s

    def take(self, now: float, *, flush: bool = False) -> tuple[Operation, ...]:
        """Return the operations of the next batch, whose lanes are then in flight; nothing when no batch is due.

        `flush` makes every waiting operation due.
        """
        due_at = self.due_at()
        if due_at is None or (due_at > now and not flush):
            return ()
        taken: list[Operation] = []
        room = self._max_bytes
        while len(taken) < self._max_items and (lane := self._first()) is not None:
            before = len(taken)
            room = self._take_from(lane, taken, room)
            if len(taken) == before or taken[-1].single:
                break  # the batch is full
        self._queued -= len(taken)
        return tuple(taken)

    def release(self, operations: Iterable[Operation], again: Iterable[Operation] = ()) -> None:
        """Free the lanes of a batch that came back; put the operations of it that must go `again` back in place."""
        for operation in reversed(tuple(again)):
            self._queued += 1
            for number in operation.lanes:
                self._lanes[number].queue.appendleft(operation)
                self._lanes[number].bytes += len(operation.payload) + ITEM_OVERHEAD_BYTES
        freed = dict.fromkeys(number for operation in operations for number in operation.lanes)
        for number in freed:
            lane = self._lanes[number]
            lane.in_flight = False
            self._free_items += len(lane.queue)
            self._free_bytes += lane.bytes
        for number in freed:
            lane = self._lanes[number]
            if lane.queue:
                self._offer(number, lane)
            else:
                del self._lanes[number]

    def discard(self, unwanted: Callable[[Operation], bool]) -> None:
        """Drop waiting operations, those of partitions that are gone. What is in flight stays."""
        for lane in self._lanes.values():
            lane.queue = deque(operation for operation in lane.queue if not unwanted(operation))
            lane.bytes = sum(len(operation.payload) + ITEM_OVERHEAD_BYTES for operation in lane.queue)
        self._lanes = {number: lane for number, lane in self._lanes.items() if lane.queue or lane.in_flight}
        self._queued = len({operation.sequence for lane in self._lanes.values() for operation in lane.queue})
        free = [(number, lane) for number, lane in self._lanes.items() if not lane.in_flight]
        self._free_items = sum(len(lane.queue) for _, lane in free)
        self._free_bytes = sum(lane.bytes for _, lane in free)
        self._ready.clear()
        for number, lane in free:
            self._offer(number, lane)

    def _offer(self, number: int, lane: _Lane) -> None:
        """Let a free lane take part, unless its first operation still waits in another lane."""
        first = lane.queue[0]
        if all(self._is_at_head(first, other) for other in first.lanes if other != number):
            heappush(self._ready, (first.sequence, number))

    def _is_at_head(self, operation: Operation, number: int) -> bool:
        lane = self._lanes[number]
        return not lane.in_flight and lane.queue[0] is operation

    def _first(self) -> _Lane | None:
        """Return the lane with the oldest operation that can go."""
        while self._ready:
            sequence, number = self._ready[0]
            lane = self._lanes.get(number)
            if lane is not None and not lane.in_flight and lane.queue[0].sequence == sequence:
                return lane
            heappop(self._ready)
        return None

    def _take_from(self, lane: _Lane, taken: list[Operation], room: int) -> int:
        """Move operations from the head of a lane while they may join the batch; return the room that is left.

        The lanes of what was moved are then in flight.
        """
        queue, first, before = lane.queue, len(taken), room
        identified = False
        while queue and len(taken) < self._max_items:
            operation = queue[0]
            size = len(operation.payload) + ITEM_OVERHEAD_BYTES
            kind = operation.source.kind
            alone = kind in ALONE_KINDS
            # A single operation always goes: whether it may be sent at all was decided when it was made.
            if (size > room or operation.single) and taken:
                break
            if (alone and len(taken) > first) or (identified and kind is not CallKind.IDENTIFY):
                break
            if not lane.in_flight:
                self._occupy(lane)
            taken.append(queue.popleft())
            room -= size
            if alone or operation.single:
                self._leave_others(operation, lane)
                break
            identified = self._identify_barrier and kind is CallKind.IDENTIFY
        lane.bytes -= before - room
        return room

    def _occupy(self, lane: _Lane) -> None:
        lane.in_flight = True
        self._free_items -= len(lane.queue)
        self._free_bytes -= lane.bytes

    def _leave_others(self, operation: Operation, lane: _Lane) -> None:
        """Take a merge from the heads of its other lanes too."""
        for number in operation.lanes:
            other = self._lanes[number]
            if other is not lane:
                self._occupy(other)
                other.queue.popleft()
                other.bytes -= len(operation.payload) + ITEM_OVERHEAD_BYTES
