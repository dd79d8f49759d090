"""Lanes of a replay: batches are filled before they are sent, and nothing waits once everything has been read."""

from collections.abc import Callable

from pipeline.delivery.lanes import Lanes

PATIENCE_S = 5.0
"""How long a call waits for its batch to fill while records still come: a replay is in no hurry."""


class FillingLanes(Lanes):
    """Lanes with a long linger, which ends for all when `is_last` says that no more records come."""

    def __init__(
        self, *, max_bytes: int, max_items: int, identify_barrier: bool, is_last: Callable[[], bool]
    ) -> None:
        super().__init__(
            max_bytes=max_bytes, max_items=max_items, linger_s=PATIENCE_S, identify_barrier=identify_barrier
        )
        self._is_last = is_last

    def due_at(self) -> float | None:
        """See `Lanes.due_at`."""
        due_at = super().due_at()
        return 0.0 if due_at is not None and self._is_last() else due_at
