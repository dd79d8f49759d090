"""How many requests the calls of a replay need: at least, and at most while nothing is retried."""

from collections import Counter
from collections.abc import Iterable

from pipeline.calls import CallKind
from pipeline.delivery.lanes import ALONE_KINDS, BATCH_OVERHEAD_BYTES, ITEM_OVERHEAD_BYTES
from pipeline.translation import Prepared


class RequestEstimate:
    """Counts while calls are shown to it, some records' worth at a time.

    The least is what the limits of a batch allow. The most is what it takes when everything that was read at once is
    sent before the next is read: the pipeline waits longer than that for a batch to fill.
    """

    def __init__(self, *, max_bytes: int, max_items: int, identify_barrier: bool = True) -> None:
        self._identify_barrier = identify_barrier
        self._max_bytes = max_bytes - BATCH_OVERHEAD_BYTES
        self._max_items = max_items
        self._bytes = 0
        self._items = 0
        self._singles = 0
        self._turns = _Turns(identify_barrier)
        self._turns_at_once = _Turns(identify_barrier)
        self._rounds: dict[int, list[int]] = {}
        self.most = 0

    @property
    def least(self) -> int:
        """Requests that are needed however well the batches are filled."""
        by_items = -(-self._items // self._max_items)
        by_bytes = -(-self._bytes // self._max_bytes)
        return self._singles + max(by_items, by_bytes, self._turns.most)

    def note(self, calls: Iterable[Prepared]) -> None:
        """Take note of the calls of a record."""
        for call in calls:
            if call.single:
                self._singles += 1
                self.most += 1
                continue
            size = len(call.payload) + ITEM_OVERHEAD_BYTES
            self._items += 1
            self._bytes += size
            self._turns.take(call)
            self._rounds.setdefault(self._turns_at_once.take(call), []).append(size)

    def send(self) -> None:
        """Count the requests for everything noted since the last time."""
        self.most += sum(self._batches(sizes) for sizes in self._rounds.values())
        self._rounds.clear()
        self._turns_at_once = _Turns(self._identify_barrier)

    def _batches(self, sizes: Iterable[int]) -> int:
        batches, items, room = 0, self._max_items, 0
        for size in sizes:
            if items == self._max_items or size > room:
                batches, items, room = batches + 1, 0, self._max_bytes
            items += 1
            room -= size
        return batches


class _Turns:
    """How many requests the calls of one lane need one after the other.

    An erasing call shares none with its neighbours, and with the barrier nothing follows an identify in the same one.
    """

    def __init__(self, identify_barrier: bool) -> None:
        self._identify_barrier = identify_barrier
        self._turn: Counter[int] = Counter()
        self._last: dict[int, CallKind] = {}
        self.most = 0

    def take(self, call: Prepared) -> int:
        """Return in which turn of its lanes a call goes, counting from 1."""
        turn = max(
            (self._turn[lane] + self._is_apart(lane, call.source.kind) for lane in call.lanes), default=1
        )
        for lane in call.lanes:
            self._turn[lane], self._last[lane] = turn, call.source.kind
        self.most = max(self.most, turn)
        return turn

    def _is_apart(self, lane: int, kind: CallKind) -> bool:
        """Tell whether a call cannot share a request with the one before it in its lane."""
        last = self._last.get(lane)
        if last is None or last in ALONE_KINDS or kind in ALONE_KINDS:
            return True
        return self._identify_barrier and last is CallKind.IDENTIFY and kind is not CallKind.IDENTIFY
