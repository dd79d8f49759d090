"""A clock that moves only when it is told to."""


class FakeClock:
    """Time for tests: `sleep` moves it, nothing else does."""

    def __init__(self, now: float = 1_773_480_413.0) -> None:
        self._started = now
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> float:
        return self._started + self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
