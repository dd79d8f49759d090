"""When to try again: one policy for every verdict that asks for another attempt."""

from dataclasses import dataclass
from random import Random

from tenacity import RetryCallState
from tenacity.wait import wait_base

from pipeline.customerio.verdicts import Retry


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How attempts are spaced.

    The backoff doubles from `initial_backoff_s` up to `max_backoff_s` seconds, with full jitter: each wait is drawn
    between nothing and the backoff, so that workers that failed together do not come back together.
    """

    initial_backoff_s: float = 0.2
    max_backoff_s: float = 30.0

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
