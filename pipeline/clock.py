"""The real clock."""

import time


class SystemClock:
    """Time as the machine tells it."""

    def monotonic(self) -> float:
        """Seconds that only rise."""
        return time.monotonic()

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()
