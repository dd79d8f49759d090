"""Which offset of a partition may be committed: the lowest that is still open.

One tracker lives as long as one assignment of one partition. A late result of an older assignment settles in
an older tracker, which nobody asks any more (G7).
"""

from heapq import heappop, heappush


class OffsetTracker:
    """The open offsets of one assigned partition.

    Gaps need no handling: an offset that was never opened (a control record, a compacted one, a record
    without any call) is not in the way. All operations take amortised logarithmic time, whatever the order
    of settling.
    """

    __slots__ = ("_heap", "_open")

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._heap: list[int] = []  # the open offsets, and settled ones that have not come to the top yet

    def open(self, offset: int) -> bool:
        """Register an offset as open; return False when it is open already, so that a repeat is counted once."""
        if offset in self._open:
            return False
        self._open.add(offset)
        heappush(self._heap, offset)
        return True

    def settle(self, offset: int) -> None:
        """Close an offset. Settling one that is not open does nothing."""
        self._open.discard(offset)

    @property
    def lowest_open(self) -> int | None:
        """The offset that holds up the commit, None when nothing is open."""
        heap, is_open = self._heap, self._open
        while heap and heap[0] not in is_open:
            heappop(heap)
        return heap[0] if heap else None

    def committable(self, position: int | None) -> int | None:
        """Return the next offset to commit: the lowest open one, else the consumer's position.

        `position` must be read after everything that the poll returned was opened, else a record between the
        two would be committed unseen.
        """
        lowest = self.lowest_open
        return position if lowest is None else lowest

    def __len__(self) -> int:
        return len(self._open)
