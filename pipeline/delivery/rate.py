"""Requests a second: capped for the whole group, and fewer when Customer.io asks for fewer."""

import asyncio
from collections.abc import Awaitable, Callable

from pipeline.customerio.verdicts import Retry, Verdict

BURST_S = 0.1
"""How much of an unused second may be caught up at once."""
WINDOW_S = 1.0
LEAST_PER_S = 1.0
BACK_OFF = 0.9
GROWTH = 0.02
"""The rate grows by this share a second, faster the longer nothing has been refused."""
PATIENCE_S = 5.0


class RateLimit:
    """Paces requests. `cap_per_s` is for the whole consumer group; `share` is our part of it.

    A 429 sets the rate a little below what was accepted in the last second; afterwards it grows back, slowly at
    first, so that a limit that stays is met seldom and one that is lifted is found out.
    """

    def __init__(
        self,
        cap_per_s: float,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cap_per_s = cap_per_s
        self._share = 1.0
        self._monotonic = monotonic
        self._sleep = sleep
        self._learned_per_s = cap_per_s
        self._next_at = monotonic()
        self._window_at = monotonic()
        self._throttled_at = monotonic()
        self._accepted = 0
        self._accepted_before = 0
        self._waited = False

    def set_share(self, share: float) -> None:
        """Set our part of the cap, between 0 and 1."""
        self._share = share

    @property
    def per_s(self) -> float:
        """Requests a second that may be made now."""
        return max(LEAST_PER_S, min(self._learned_per_s, self._cap_per_s * self._share))

    async def wait(self) -> None:
        """Wait for the turn of one request."""
        now = self._monotonic()
        turn_at = max(self._next_at, now - BURST_S)
        self._next_at = turn_at + 1.0 / self.per_s
        if turn_at > now:
            self._waited = True
            await self._sleep(turn_at - now)

    def note(self, verdict: Verdict) -> None:
        """Learn from an answer."""
        now = self._monotonic()
        self._turn_window(now)
        if isinstance(verdict, Retry):
            if verdict.throttled:
                self._slow_down(now)
        else:
            self._accepted += 1

    def _turn_window(self, now: float) -> None:
        passed_s = now - self._window_at
        if passed_s < WINDOW_S:
            return
        # A window longer than a second is an idle time, which tells nothing of what would be accepted.
        self._accepted_before = self._accepted if passed_s < 2 * WINDOW_S else 0
        self._accepted = 0
        self._window_at = now
        if self._waited:
            quiet_s = now - self._throttled_at
            growth = GROWTH * (1 + quiet_s / PATIENCE_S)
            self._learned_per_s = min(self._cap_per_s, self._learned_per_s * (1 + growth) + 0.1)
        self._waited = False

    def _slow_down(self, now: float) -> None:
        if now - self._throttled_at < WINDOW_S and self._learned_per_s < self._cap_per_s:
            return  # answers to requests that were under way when the rate was cut
        self._throttled_at = now
        accepted_per_s = max(self._accepted, self._accepted_before) or self.per_s / 2
        self._learned_per_s = max(LEAST_PER_S, min(self.per_s, accepted_per_s) * BACK_OFF)
