"""How many requests the calls of a replay need: at least, and at most while nothing is retried."""

from collections import Counter
from collections.abc import Iterable

from pipeline.calls import CallKind
from pipeline.delivery.lanes import ALONE_KINDS, BATCH_OVERHEAD_BYTES, ITEM_OVERHEAD_BYTES
from pipeline.translation import Prepared


class RequestEstimate:
    """Counts while calls are shown to it, some records' worth at a time.

    The least is what the limits of a batch and the order within each partition allow. The most supposes that everything
    read at once is sent before the next is read, and that calls of different partitions, whose order among each other
    is not known beforehand, part each other's batches wherever they can.
    """

    def __init__(
        self, *, max_bytes: int, max_items: int, max_in_flight: int = 8, identify_barrier: bool = True
    ) -> None:
        self._identify_barrier = identify_barrier
        self._max_bytes = max_bytes - BATCH_OVERHEAD_BYTES
        self._max_items = max_items
        self._max_in_flight = max_in_flight
        self._bytes = self._items = self._singles = self._most = 0
        self._turn: Counter[tuple[int, int]] = Counter()
        self._last: dict[tuple[int, int], CallKind] = {}
        self._turns = 0
        self._forget()

    @property
    def least(self) -> int:
        """Requests that are needed however well the batches are filled."""
        by_items = -(-self._items // self._max_items)
        by_bytes = -(-self._bytes // self._max_bytes)
        return self._singles + max(by_items, by_bytes, self._turns)

    @property
    def most(self) -> int:
        """Requests that suffice; the last batches may leave one by one, as those before them come back."""
        return self._most + (min(self._max_in_flight, self._items) if self._items else 0)

    def note(self, partition: int, calls: Iterable[Prepared]) -> None:
        """Take note of the calls of a record of a partition."""
        for call in calls:
            if call.single:
                self._singles += 1
                self._most += 1
                continue
            size = len(call.payload) + ITEM_OVERHEAD_BYTES
            self._items += 1
            self._bytes += size
            self._items_at_once += 1
            self._bytes_at_once += size
            self._take_turn(partition, call)
            parts = call.source.kind in ALONE_KINDS or call.source.kind is CallKind.IDENTIFY
            for lane in call.lanes:
                self._calls_of[lane] += 1
                self._parting[lane] += parts

    def send(self) -> None:
        """Count the requests for everything noted since the last time."""
        rounds = max(
            (min(calls, 2 * self._parting[lane] + 1) for lane, calls in self._calls_of.items()), default=0
        )
        # A batch that a large call did not fit into is at least half full with the one that follows it.
        full = self._items_at_once // self._max_items + 2 * self._bytes_at_once // self._max_bytes
        self._most += rounds + full
        self._forget()

    def _forget(self) -> None:
        self._items_at_once = self._bytes_at_once = 0
        self._calls_of: Counter[int] = Counter()
        self._parting: Counter[int] = Counter()

    def _take_turn(self, partition: int, call: Prepared) -> None:
        """Count the requests that the calls of a lane need one after the other, by the order of their partition."""
        for lane in call.lanes:
            place, kind = (partition, lane), call.source.kind
            self._turn[place] += self._is_apart(self._last.get(place), kind)
            self._last[place] = kind
            self._turns = max(self._turns, self._turn[place])

    def _is_apart(self, last: CallKind | None, kind: CallKind) -> bool:
        """Tell whether a call cannot share a request with the one before it in its lane."""
        if last is None or last in ALONE_KINDS or kind in ALONE_KINDS:
            return True
        return self._identify_barrier and last is CallKind.IDENTIFY and kind is not CallKind.IDENTIFY
