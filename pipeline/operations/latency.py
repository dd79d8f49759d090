"""Delays of the last minute, for a page and a terminal; Prometheus has the histograms themselves."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from pipeline.histogram import HistogramPicture
from pipeline.operations.status_document import pictures
from pipeline.tally import Tally

WINDOW_S = 60.0
_DELAYS = {"request": "request_seconds", "written": "seconds_since_written", "read": "seconds_since_read"}


class RecentLatency:
    """Quantiles in seconds of about the last minute, from what was seen whenever it was asked."""

    def __init__(self, tally: Tally, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._monotonic = monotonic
        self._seen: deque[tuple[float, dict[str, HistogramPicture]]] = deque([(monotonic(), pictures(tally))])

    def document(self) -> dict[str, Any]:
        """Return the median and the 99th percentile of each delay, None where nothing happened.

        `request` is one exchange with Customer.io; `written` and `read` end with the confirmation of a call and begin
        with the record's own time and with its reading.
        """
        now = self._monotonic()
        present = pictures(self._tally)
        while len(self._seen) > 1 and self._seen[1][0] <= now - WINDOW_S:
            self._seen.popleft()
        _, before = self._seen[0]
        self._seen.append((now, present))
        recent = {short: present[name].since(before[name]) for short, name in _DELAYS.items()}
        return {
            short: {"median": picture.quantile(0.5), "p99": picture.quantile(0.99)}
            for short, picture in recent.items()
        }
