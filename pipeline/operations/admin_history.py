"""The last minutes, so that a page that is opened now shows where things come from."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.concurrency import run_in_threadpool

EVERY_S = 2.0
POINTS = 450
"""A quarter of an hour."""
_DELAYS = {"request": "request_seconds", "read": "seconds_since_read", "written": "seconds_since_written"}


class History:
    """Looks at the status every two seconds and keeps the numbers that a chart needs."""

    def __init__(
        self,
        status: Callable[[], dict[str, Any]],
        *,
        every_s: float = EVERY_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._status = status
        self._every_s = every_s
        self._now = now
        self._points: deque[dict[str, Any]] = deque(maxlen=POINTS)

    def look(self) -> None:
        """Keep a point of this moment."""
        self._points.append(point(self._status(), self._now()))

    def since(self, moment: float) -> list[dict[str, Any]]:
        """Return the points after a moment in Unix seconds, the oldest first."""
        return [each for each in list(self._points) if each["time"] > moment]

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Look again and again while the block lasts."""
        task = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _look_on(self) -> None:
        while True:
            with suppress(Exception):  # what cannot be told now is a gap in the charts
                await run_in_threadpool(self.look)
            await asyncio.sleep(self._every_s)


def point(status: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return the numbers of a status that charts are drawn from. Counts only rise, except after a restart."""
    counts, histograms = status.get("counts") or {}, status.get("histograms") or {}
    lags = [each["lag"] for each in status["partitions"] if each["lag"] is not None]
    return {
        "time": now,
        "records": counts.get("records", 0),
        "settled": counts.get("settled", 0),
        "delivered": sum(counts.get("delivered", {}).values()),
        "dead_letters": sum(counts.get("dead_letters", {}).values()),
        "requests": dict(counts.get("requests", {})),
        "request_seconds": counts.get("request_seconds", 0.0),
        "request_bytes": counts.get("request_bytes", 0),
        "lag": sum(lags) if lags else None,
        "open_records": status["open_records"],
        "open_bytes": status["open_bytes"],
        "waiting_calls": status.get("waiting_calls", 0),
        "in_flight": status["batches_in_flight"],
        "in_flight_limit": status.get("requests_in_flight_limit", 0),
        "delays": {
            short: histograms[name]["buckets"] for short, name in _DELAYS.items() if name in histograms
        },
    }
