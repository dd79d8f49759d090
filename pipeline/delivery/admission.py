"""What every request passes: a place among those in flight, then its turn in the second."""

from collections.abc import Awaitable, Callable

from pipeline.customerio.verdicts import Verdict
from pipeline.delivery.concurrency import ConcurrencyLimit
from pipeline.delivery.rate import RateLimit


class Admission:
    """Both limits together. Reading them from another thread is safe."""

    def __init__(self, rate: RateLimit, concurrency: ConcurrencyLimit) -> None:
        self.rate = rate
        self.concurrency = concurrency

    async def run(self, send: Callable[[], Awaitable[Verdict]]) -> Verdict:
        """Make one request when it may be made, and learn from its verdict."""
        number = await self.concurrency.enter()
        verdict: Verdict | None = None
        try:
            await self.rate.wait()
            verdict = await send()
            self.rate.note(verdict)
            return verdict
        finally:
            self.concurrency.leave(number, verdict)
