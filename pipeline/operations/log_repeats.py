"""Equal warnings and errors: a few are written, the rest is counted."""

import logging
import time
from collections.abc import Callable, Hashable, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

WINDOW_S = 60.0
PER_WINDOW = 5
MOST_KEYS = 1_000
"""Different lines that are remembered; beyond it all are forgotten, and some repeats are written."""

_LIMITED = frozenset({"warning", "error", "exception", "critical"})


@dataclass(slots=True)
class _Window:
    began: float
    written: int = 0
    dropped: int = 0


class RepeatLimit:
    """Lets an equal line through five times a minute; the first one after that tells how many were left out.

    Information and debug lines are about one thing that happened each, and none of them is left out.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._windows: dict[Hashable, _Window] = {}

    def __call__(
        self, _logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Return a line that is to be written, with `repeated` where others like it were not.

        Raises:
            structlog.DropEvent: it is one too many.
        """
        if method not in _LIMITED:
            return event
        repeated = self.admit((method, *sorted((name, str(value)) for name, value in event.items())))
        if repeated is None:
            raise structlog.DropEvent
        if repeated:
            event["repeated"] = repeated
        return event

    def admit(self, key: Hashable) -> int | None:
        """Return how many like it were left out before it, None when it is to be left out too."""
        now = self._monotonic()
        window = self._windows.get(key)
        dropped = 0
        if window is None or now - window.began >= WINDOW_S:
            if len(self._windows) >= MOST_KEYS:
                self._windows.clear()
            dropped = 0 if window is None else window.dropped
            window = self._windows[key] = _Window(now)
        if window.written >= PER_WINDOW:
            window.dropped += 1
            return None
        window.written += 1
        return dropped


class LibraryRepeats(logging.Filter):
    """The same for what libraries say."""

    def __init__(self, limit: RepeatLimit) -> None:
        super().__init__()
        self._limit = limit

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is to be written."""
        return self._limit.admit((record.name, record.levelno, record.getMessage())) is not None
