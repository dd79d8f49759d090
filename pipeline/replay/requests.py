"""How many requests the calls of a replay need: at least, and at most while nothing is retried."""

from collections import Counter
from collections.abc import Iterable

from pipeline.customerio.sizes import travels_alone
from pipeline.delivery.lanes import ALONE_KINDS, BATCH_OVERHEAD_BYTES, ITEM_OVERHEAD_BYTES, lane_of
from pipeline.records import Record
from pipeline.translation import Prepared


class RequestEstimate:
    """Counts while calls are shown to it, some records' worth at a time.

    The least is what the limits of a batch allow. The most is what it takes when everything that was read at once is
    sent before the next is read: the pipeline waits longer than that for a batch to fill.
    """

    def __init__(self, *, max_bytes: int, max_items: int) -> None:
        self._max_bytes = max_bytes - BATCH_OVERHEAD_BYTES
        self._max_items = max_items
        self._bytes = 0
        self._items = 0
        self._singles = 0
        self._turns = _Turns()
        self._turns_at_once = _Turns()
        self._rounds: dict[int, list[int]] = {}
        self.most = 0

    @property
    def least(self) -> int:
        """Requests that are needed however well the batches are filled."""
        by_items = -(-self._items // self._max_items)
        by_bytes = -(-self._bytes // self._max_bytes)
        return self._singles + max(by_items, by_bytes, self._turns.most)

    def note(self, record: Record, calls: Iterable[Prepared]) -> None:
        """Take note of the calls of a record."""
        for call in calls:
            if travels_alone(call.payload):
                self._singles += 1
                self.most += 1
                continue
            size = len(call.payload) + ITEM_OVERHEAD_BYTES
            self._items += 1
            self._bytes += size
            lane = _lane(record, call)
            self._turns.take(lane, call)
            self._rounds.setdefault(self._turns_at_once.take(lane, call), []).append(size)

    def send(self) -> None:
        """Count the requests for everything noted since the last time."""
        self.most += sum(self._batches(sizes) for sizes in self._rounds.values())
        self._rounds.clear()
        self._turns_at_once = _Turns()

    def _batches(self, sizes: Iterable[int]) -> int:
        batches, items, room = 0, self._max_items, 0
        for size in sizes:
            if items == self._max_items or size > room:
                batches, items, room = batches + 1, 0, self._max_bytes
            items += 1
            room -= size
        return batches


class _Turns:
    """How many requests the calls of one lane need one after the other: an erasing call shares none with the others."""

    def __init__(self) -> None:
        self._turn: Counter[int] = Counter()
        self._was_alone: dict[int, bool] = {}
        self.most = 0

    def take(self, lane: int, call: Prepared) -> int:
        """Return in which turn of its lane a call goes, counting from 1."""
        alone = call.source.kind in ALONE_KINDS
        if alone or self._was_alone.get(lane, True):
            self._turn[lane] += 1
            self.most = max(self.most, self._turn[lane])
        self._was_alone[lane] = alone
        return self._turn[lane]


def _lane(record: Record, call: Prepared) -> int:
    if call.identity is not None:
        return lane_of(call.identity.lane_key)
    return lane_of(record.key if record.key is not None else str(record.topic_partition))
