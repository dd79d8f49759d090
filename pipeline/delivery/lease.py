"""The right to send: it lapses when the engine has not polled for long, because the partitions may be another's."""


class Lease:
    """Renewed by the engine at each poll, asked by the sender before each attempt; both may be in other threads.

    After a gap longer than `seconds` (the process was frozen, the machine slept) polling alone proves nothing: the
    group may have given the partitions away without our knowing. Nothing is sent until `doubt_s` seconds of polling
    later, by when a heartbeat has told us.
    """

    def __init__(self, seconds: float, doubt_s: float) -> None:
        self._seconds = seconds
        self._doubt_s = doubt_s
        self._renewed_at: float | None = None
        self._doubtful_until = 0.0

    def renew(self, now: float) -> None:
        """Take note of a poll. `now` is monotonic."""
        if self._renewed_at is not None and now - self._renewed_at > self._seconds:
            self._doubtful_until = now + self._doubt_s
        self._renewed_at = now

    def holds(self, now: float) -> bool:
        """Tell whether something may be sent."""
        renewed_at = self._renewed_at
        return renewed_at is not None and now - renewed_at <= self._seconds and now >= self._doubtful_until
