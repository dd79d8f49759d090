"""`customerio.region: auto` for what runs long: the account's region is asked for until it is known."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tenacity import AsyncRetrying, retry_if_result
from tenacity.wait import wait_base

from pipeline.customerio.client import TrackClient
from pipeline.customerio.regions import Region, base_url_for
from pipeline.customerio.verdicts import Fatal, Retry, Verdict
from pipeline.delivery.hold import Hold

_SEEKER = 0
"""Who asks for the region while delivery holds; batches count from 1."""


class RegionalClient:
    """The client of the region where the account lives, once `find_region` has found it."""

    def __init__(self, open_client: Callable[[str], TrackClient]) -> None:
        self._open_client = open_client
        self._asking = open_client(base_url_for(Region.AUTO))
        self._found: TrackClient | None = None

    async def find_region(self) -> Retry | Fatal | None:
        """Ask once; return what kept us from knowing, or None."""
        answer = await self._asking.ask_region()
        if not isinstance(answer, str):
            return answer
        self._found = self._open_client(base_url_for(Region(answer)))
        return None

    async def send_batch(self, payloads: Sequence[bytes]) -> Verdict:
        """Make one attempt, as `TrackClient.send_batch` does.

        Raises:
            AssertionError: the region is not known, and delivery should hold.
        """
        if self._found is None:
            raise AssertionError("the region is not known")
        return await self._found.send_batch(payloads)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._asking.aclose()
        if self._found is not None:
            await self._found.aclose()


async def seek_region(client: RegionalClient, hold: Hold, wait: wait_base) -> Callable[[], Awaitable[None]]:
    """Ask for the region, and go on in the background if it cannot be known yet; delivery holds until it is.

    Returns once it was asked for the first time. What is returned ends the asking and closes the client.
    """
    asked = asyncio.Event()

    async def ask() -> Retry | Fatal | None:
        try:
            trouble = await client.find_region()
            if trouble is None:
                hold.end()
            else:
                hold.begin(_SEEKER, _unknown_region(trouble))
            return trouble
        finally:
            asked.set()

    retrying = AsyncRetrying(retry=retry_if_result(lambda trouble: trouble is not None), wait=wait)
    seeking: asyncio.Task[Retry | Fatal | None] = asyncio.create_task(retrying(ask))
    await asked.wait()

    async def release() -> None:
        seeking.cancel()
        await asyncio.gather(seeking, return_exceptions=True)
        await client.aclose()

    return release


def _unknown_region(trouble: Retry | Fatal) -> Fatal:
    if isinstance(trouble, Fatal):
        return trouble
    return Fatal(
        cause=f"the account's region cannot be asked for ({trouble.cause})",
        advice="check the network and any proxy, or set customerio.region; delivery begins by itself when it is known",
    )
