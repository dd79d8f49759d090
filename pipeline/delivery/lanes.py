"""Order per person: operations wait in lanes, and batches are filled from the lanes that are free.

A lane is a queue. Operations of a lane are in at most one batch in flight, so no later one can overtake (G3).
A batch takes from many free lanes, the one with the oldest operation first, so that requests are few and full while
nobody waits longer than the linger.
"""

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
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

    `linger_s` is how many seconds an operation may wait for company.
    """

    def __init__(self, *, max_bytes: int, max_items: int, linger_s: float) -> None:
        self._max_bytes = max_bytes - BATCH_OVERHEAD_BYTES
        self._max_items = max_items
        self._linger_s = linger_s
        self._lanes: dict[int, _Lane] = {}
        self._free: list[
            tuple[int, int]
        ] = []  # a heap of (sequence of the first operation, lane): free lanes only
        self._free_items = 0
        self._free_bytes = 0
        self._queued = 0

    def __len__(self) -> int:
        """How many operations wait, in free lanes or behind operations in flight."""
        return self._queued

    def add(self, operation: Operation) -> None:
        """Queue an operation behind all others of its lane."""
        lane = self._lanes.get(operation.lane)
        if lane is None:
            lane = self._lanes[operation.lane] = _Lane()
        lane.queue.append(operation)
        size = len(operation.payload) + ITEM_OVERHEAD_BYTES
        lane.bytes += size
        self._queued += 1
        if not lane.in_flight:
            self._free_items += 1
            self._free_bytes += size
            if len(lane.queue) == 1:
                heappush(self._free, (operation.sequence, operation.lane))

    def due_at(self) -> float | None:
        """Return when the next batch is due (monotonic): 0.0 when one is full, None when none can be made."""
        if not self._free:
            return None
        if self._free_items >= self._max_items or self._free_bytes >= self._max_bytes:
            return 0.0
        oldest = self._lanes[self._free[0][1]].queue[0]
        return oldest.queued_at + self._linger_s

    def take(self, now: float, *, flush: bool = False) -> tuple[Operation, ...]:
        """Return the operations of the next batch, whose lanes are then in flight; nothing when no batch is due.

        `flush` makes every waiting operation due.
        """
        due_at = self.due_at()
        if due_at is None or (due_at > now and not flush):
            return ()
        taken: list[Operation] = []
        room = self._max_bytes
        while self._free and len(taken) < self._max_items:
            lane = self._lanes[self._free[0][1]]
            first = len(taken)
            room = self._take_from(lane, taken, room)
            if len(taken) == first:
                break  # the batch is full
            heappop(self._free)
            self._occupy(lane, taken[first:])
        self._queued -= len(taken)
        return tuple(taken)

    def _take_from(self, lane: _Lane, taken: list[Operation], room: int) -> int:
        """Move operations from the head of a lane while they fit; return the room that is left."""
        first = len(taken)
        for operation in lane.queue:
            size = len(operation.payload) + ITEM_OVERHEAD_BYTES
            # A single operation always goes: whether it may be sent at all was decided when it was made.
            if len(taken) == self._max_items or (size > room and taken):
                break
            alone = operation.kind in ALONE_KINDS
            if alone and len(taken) > first:
                break
            taken.append(operation)
            room -= size
            if alone:
                break
        return room

    def _occupy(self, lane: _Lane, taken: list[Operation]) -> None:
        self._free_items -= len(lane.queue)
        self._free_bytes -= lane.bytes
        lane.in_flight = True
        for operation in taken:
            lane.queue.popleft()
            lane.bytes -= len(operation.payload) + ITEM_OVERHEAD_BYTES

    def release(self, operations: Iterable[Operation], again: Iterable[Operation] = ()) -> None:
        """Free the lanes of a batch that came back; put the operations of it that must go `again` back in place."""
        returned: dict[int, list[Operation]] = {}
        for operation in again:
            returned.setdefault(operation.lane, []).append(operation)
        for number in dict.fromkeys(operation.lane for operation in operations):
            lane = self._lanes[number]
            for operation in reversed(returned.get(number, [])):
                lane.queue.appendleft(operation)
                lane.bytes += len(operation.payload) + ITEM_OVERHEAD_BYTES
                self._queued += 1
            lane.in_flight = False
            if lane.queue:
                self._free_items += len(lane.queue)
                self._free_bytes += lane.bytes
                heappush(self._free, (lane.queue[0].sequence, number))
            else:
                del self._lanes[number]

    def discard(self, unwanted: Callable[[Operation], bool]) -> int:
        """Drop waiting operations, those of partitions that are gone; return how many. What is in flight stays."""
        before = self._queued
        for lane in self._lanes.values():
            lane.queue = deque(operation for operation in lane.queue if not unwanted(operation))
            lane.bytes = sum(len(operation.payload) + ITEM_OVERHEAD_BYTES for operation in lane.queue)
        self._lanes = {number: lane for number, lane in self._lanes.items() if lane.queue or lane.in_flight}
        self._queued = sum(len(lane.queue) for lane in self._lanes.values())
        free = [(number, lane) for number, lane in self._lanes.items() if not lane.in_flight]
        self._free = [(lane.queue[0].sequence, number) for number, lane in free]
        heapify(self._free)
        self._free_items = sum(len(lane.queue) for _, lane in free)
        self._free_bytes = sum(lane.bytes for _, lane in free)
        return before - self._queued
