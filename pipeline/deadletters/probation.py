"""Too many failures: a mapping or a workspace that breaks must not pour the topic into the dead letters (G6).

A record that failed is safe in the dead letters, but its position is not settled at once: it stays on probation until
it is clear that the records around it are well. When too many of the last records failed, nothing on probation is
ever settled, so that a restart, or twenty, meets the same records again instead of the next ones.
"""

from collections import deque

from pipeline.delivery.open_record import OpenRecord

ENOUGH_RECORDS = 20
"""A share of fewer records than these says nothing."""
QUIET_S = 10.0
"""How long a failed record waits for company before it counts as one of its own."""
PATIENCE_S = 60.0
"""How long a failed record waits when the share is too high but too few records came to call it a limit."""


class Probation:
    """Watches the share of failed records among the last `window` ones.

    `limit` is the share above which it is too much, between 0 and 1; None for no limit.
    """

    def __init__(self, limit: float | None, window: int) -> None:
        self._limit = limit
        self._window = window
        self._last: deque[bool] = deque()
        self._failed = 0
        self._waiting: deque[tuple[float, OpenRecord]] = deque()

    @property
    def is_exceeded(self) -> bool:
        """Whether a whole window of records has been seen and too many of them failed."""
        return len(self._last) == self._window and self._is_too_high

    @property
    def share(self) -> float:
        """The part of the last records that failed."""
        return self._failed / len(self._last) if self._last else 0.0

    def note(self, failed: bool) -> None:
        """Take note of what became of one record."""
        if self._limit is None:
            return
        self._last.append(failed)
        self._failed += failed
        if len(self._last) > self._window:
            self._failed -= self._last.popleft()

    def add(self, record: OpenRecord, now: float) -> None:
        """Put a failed call of a record, which is safe by now, on probation. `now` is monotonic."""
        self._waiting.append((now, record))

    def release(self, now: float) -> list[OpenRecord]:
        """Return what need not wait any longer, one entry for each call, oldest first."""
        if not self._waiting or self.is_exceeded:
            return []
        if self._is_too_high:
            patience_s = QUIET_S if len(self._last) < ENOUGH_RECORDS else PATIENCE_S
            released = []
            while self._waiting and now - self._waiting[0][0] >= patience_s:
                released.append(self._waiting.popleft()[1])
            return released
        released = [record for _, record in self._waiting]
        self._waiting.clear()
        return released

    def forget(self) -> None:
        """Start afresh: the rules have changed."""
        self._last.clear()
        self._failed = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def _is_too_high(self) -> bool:
        return self._limit is not None and self.share > self._limit
