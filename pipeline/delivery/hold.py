"""Hold, never drain: while the connection is wrong, one batch probes and all others wait (G6)."""

import asyncio

import structlog

from pipeline.customerio.verdicts import Fatal

_log = structlog.get_logger(__name__)


class Hold:
    """Whether delivery holds, why, and whose turn it is to find out whether the cause is gone.

    Lives on the sender's loop; `cause` may be read from any thread.
    """

    def __init__(self) -> None:
        self._fatal: Fatal | None = None
        self._prober: int | None = None
        self._changed = asyncio.Event()

    @property
    def cause(self) -> str | None:
        """Why delivery holds and what to do, None while it goes on."""
        fatal = self._fatal
        return None if fatal is None else f"{fatal.cause}: {fatal.advice}"

    async def pass_or_probe(self, batch: int) -> bool:
        """Wait while delivery holds, unless this batch is the one that probes; return whether it had to wait."""
        had_to_wait = False
        while self._fatal is not None and self._prober not in {None, batch}:
            had_to_wait = True
            await self._changed.wait()
        if self._fatal is not None:
            self._prober = batch
        return had_to_wait

    def begin(self, batch: int, fatal: Fatal) -> None:
        """Hold, with this batch as the prober unless there is one already; one log line for each new cause."""
        if self._fatal != fatal:
            _log.error("delivery_holds", cause=fatal.cause, advice=fatal.advice, status=fatal.status)
        self._fatal = fatal
        if self._prober is None:
            self._prober = batch

    def end(self) -> None:
        """Go on: an answer showed that the connection is right."""
        if self._fatal is None:
            return
        _log.info("delivery_goes_on", after=self._fatal.cause)
        self._fatal = None
        self._prober = None
        self._wake_all()

    def leave(self, batch: int) -> None:
        """Let another batch probe when this one was the prober and is done or given up."""
        if self._prober == batch:
            self._prober = None
            self._wake_all()

    def _wake_all(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
