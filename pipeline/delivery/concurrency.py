"""Requests in flight: fewer when the receiver struggles, more again when it does not."""

import asyncio
from collections import deque

from pipeline.customerio.verdicts import Retry, Verdict

BACK_OFF = 0.7


class ConcurrencyLimit:
    """Additive increase, multiplicative decrease, between one and `maximum` requests.

    A retry verdict (429, 5xx, a timeout, a broken connection) shrinks the limit, at most once for the requests that
    were under way together; as many accepted requests as the limit allows, made while it was reached, raise it by one.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._active = 0
        self._started = 0
        self._cut_at = 0  # requests numbered below were started before the last cut
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """How many requests may be under way."""
        return int(self._limit)

    async def enter(self) -> int:
        """Wait for a place; return the number of the request."""
        while self._active >= self.limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # the turn was given to us and is passed on
                raise
        self._active += 1
        self._started += 1
        return self._started

    def leave(self, number: int, verdict: Verdict | None) -> None:
        """Give the place back. `verdict` is None for a request that was given up."""
        reached = self._active >= self.limit
        self._active -= 1
        if isinstance(verdict, Retry):
            if number > self._cut_at:
                self._limit = max(1.0, self._limit * BACK_OFF)
                self._cut_at = self._started
        elif verdict is not None and reached:
            self._limit = min(float(self._maximum), self._limit + 1.0 / self.limit)
        self._wake()

    def _wake(self) -> None:
        places = self.limit - self._active
        while self._waiting and places > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                places -= 1
