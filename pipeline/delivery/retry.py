"""When to try again: one policy for every verdict that asks for another attempt."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from tenacity import RetryCallState
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from pipeline.customerio.verdicts import Retry, Verdict


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How attempts are spaced.

    The backoff doubles from `initial_backoff_s` up to `max_backoff_s` seconds, with full jitter: each wait is drawn
    between nothing and the backoff, so that workers that failed together do not come back together.

    After `max_elapsed_s` seconds the calls go to the dead letters, or delivery holds: it goes on trying, but a person
    is called. Without it retries have no end.
    """

    initial_backoff_s: float = 0.2
    max_backoff_s: float = 30.0
    max_elapsed_s: float | None = None
    on_exhausted: Literal["hold", "dead_letter"] = "hold"

    def is_exhausted(self, elapsed_s: float) -> bool:
        """Tell whether so many seconds of trying are enough."""
        return self.max_elapsed_s is not None and elapsed_s >= self.max_elapsed_s

    def backoff_s(self, attempt: int, random: Random) -> float:
        """Return the seconds to wait after the attempt of this number, which counts from 1."""
        exponent = min(attempt - 1, 32)  # beyond any sensible maximum; keeps the power finite
        return random.uniform(0.0, min(self.max_backoff_s, self.initial_backoff_s * 2.0**exponent))


class WaitByVerdict(wait_base):
    """tenacity's wait: the policy's backoff, or what the server asked for where that is longer."""

    def __init__(self, policy: RetryPolicy, random: Random) -> None:
        self._policy = policy
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        """Return the seconds until the next attempt."""
        backoff_s = self._policy.backoff_s(retry_state.attempt_number, self._random)
        verdict = retry_state.outcome.result() if retry_state.outcome else None
        if isinstance(verdict, Retry) and verdict.wait_s is not None:
            # The jitter comes on top, so that all who were told the same time do not return in the same moment.
            return verdict.wait_s + min(backoff_s, 1.0)
        return backoff_s


class StopWhenExhausted(stop_base):
    """tenacity's stop: after the policy's time, but never while delivery holds, which is not the calls' fault.

    `elapsed_s` tells the seconds since the first attempt that no hold came after; tenacity's own clock cannot be
    chosen, and would count a hold.
    """

    def __init__(self, policy: RetryPolicy, elapsed_s: Callable[[], float]) -> None:
        self._policy = policy
        self._elapsed_s = elapsed_s

    def __call__(self, retry_state: RetryCallState) -> bool:
        """Tell whether the attempt that was just made is the last one."""
        return (
            self._policy.on_exhausted == "dead_letter"
            and isinstance(last_verdict(retry_state), Retry)
            and self._policy.is_exhausted(self._elapsed_s())
        )


def last_verdict(retry_state: RetryCallState) -> Verdict:
    """Return the verdict of the attempt that was just made.

    Raises:
        AssertionError: no attempt was made, which tenacity rules out here.
    """
    if retry_state.outcome is None:
        raise AssertionError("no attempt was made")
    verdict: Verdict = retry_state.outcome.result()
    return verdict
