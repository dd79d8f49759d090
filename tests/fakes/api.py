"""A Customer.io that answers from a script, for tests of what decides by verdicts."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from pipeline.customerio.verdicts import DELIVERED, Verdict
from pipeline.delivery.admission import Admission
from pipeline.delivery.concurrency import ConcurrencyLimit
from pipeline.delivery.rate import RateLimit

Judge = Callable[[list[str]], Verdict]


class FakeApi:
    """Gives the scripted verdicts first, then what `judge` says of the payloads; notes every attempt."""

    def __init__(self, script: Iterable[Verdict] = (), judge: Judge = lambda _: DELIVERED) -> None:
        self.script = list(script)
        self.judge = judge
        self.attempts: list[list[str]] = []
        self.hangs = False

    async def send_batch(self, payloads: Sequence[bytes]) -> Verdict:
        names = [payload.decode() for payload in payloads]
        self.attempts.append(names)
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        return self.script.pop(0) if self.script else self.judge(names)


def unlimited() -> Admission:
    """Return limits that nobody meets."""
    return Admission(RateLimit(1e9, monotonic=time.monotonic), ConcurrencyLimit(64))
