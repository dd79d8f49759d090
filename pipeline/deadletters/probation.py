"""Too many failures: a mapping or a workspace that breaks must not pour the topic into the dead letters (G6).

What failed stays on probation until it is clear that the records around it are well. When too many of the last records
failed, nothing on probation is ever settled, so that a restart, or twenty, leaves the topic as it is.
"""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

ENOUGH_RECORDS = 20
"""A share of fewer records than these says nothing."""
QUIET_S = 10.0
"""How long what failed waits for company before it counts as one of its own."""
PATIENCE_S = 60.0
"""How long what failed waits when the share is too high but too few records came to call it a limit."""


class Probation(Generic[T]):
    """Watches the share of failed records among the last `window` ones, and keeps what failed meanwhile.

    `limit` is the share above which it is too much, between 0 and 1; None for no limit.
    """

    def __init__(self, limit: float | None, window: int) -> None:
        self._limit = limit
        self._window = window
        self._seen = 0
        self._failed: deque[int] = deque()  # the numbers of the failed ones among the last
        self._waiting: deque[tuple[float, T]] = deque()

    @property
    def is_exceeded(self) -> bool:
        """Whether a whole window of records has been seen and too many of them failed."""
        return self._seen >= self._window and self._is_too_high

    @property
    def share(self) -> float:
        """The part of the last records that failed."""
        while self._failed and self._failed[0] <= self._seen - self._window:
            self._failed.popleft()
        return len(self._failed) / min(self._seen, self._window) if self._seen else 0.0

    def note_failed(self) -> None:
        """Take note of a record that failed."""
        self._seen += 1
        if self._limit is not None:
            self._failed.append(self._seen)

    def note_well(self, records: int) -> None:
        """Take note of so many records that did not fail."""
        self._seen += records

    def add(self, failed: T, now: float) -> None:
        """Put what failed on probation. `now` is monotonic."""
        self._waiting.append((now, failed))

    def release(self, now: float) -> list[T]:
        """Return what need not wait any longer, oldest first."""
        if not self._waiting or self.is_exceeded:
            return []
        if self._is_too_high:
            patience_s = QUIET_S if self._seen < ENOUGH_RECORDS else PATIENCE_S
            released = []
            while self._waiting and now - self._waiting[0][0] >= patience_s:
                released.append(self._waiting.popleft()[1])
            return released
        released = [failed for _, failed in self._waiting]
        self._waiting.clear()
        return released

    def forget(self) -> None:
        """Start afresh: the rules have changed."""
        self._seen = 0
        self._failed.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def _is_too_high(self) -> bool:
        return self._limit is not None and self.share > self._limit
