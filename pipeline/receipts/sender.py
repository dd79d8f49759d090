"""A sender whose deletions leave a receipt before anybody learns that they were accepted."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from pipeline.calls import ERASING_KINDS
from pipeline.delivery.batch import ABANDONED, Batch, BatchResult, Confirmed, Operation, Outcome
from pipeline.ports import Clock, Sender, SendLimits
from pipeline.receipts.log import ReceiptsUnavailableError
from pipeline.receipts.receipt import Namer, Receipt, plain_name

_log = structlog.get_logger(__name__)

RETRY_S = 1.0


class Receipts(Protocol):
    """Where receipts are kept."""

    def keep(self, receipts: Sequence[Receipt]) -> None:
        """Return when they are safe.

        Raises:
            ReceiptsUnavailableError: they could not be made safe.
        """
        ...

    def close(self) -> None:
        """Release it."""
        ...


class ReceiptedSender:
    """A `Sender` that keeps a receipt of each accepted destroy and suppress before it gives their result back.

    So no offset is committed past a deletion without a receipt. While receipts cannot be kept, delivery holds. `name`
    says how people are named, `sent_to` where the calls go.
    """

    def __init__(
        self, sender: Sender, receipts: Receipts, clock: Clock, *, name: Namer, sent_to: str
    ) -> None:
        self._sender = sender
        self._receipts = receipts
        self._clock = clock
        self._name = name
        self._sent_to = sent_to
        self._unsafe: list[tuple[BatchResult, tuple[Receipt, ...]]] = []
        self._abandoned: list[BatchResult] = []
        self._trouble: str | None = None
        self._try_at = 0.0

    def submit(self, batch: Batch) -> None:
        """See `Sender.submit`."""
        self._sender.submit(batch)

    def results(self, timeout_s: float) -> Sequence[BatchResult]:
        """See `Sender.results`. What deletes comes when its receipts are safe."""
        found, self._abandoned = self._abandoned, []
        for result in self._sender.results(0.0 if found else timeout_s):
            receipts = tuple(self._receipts_of(result))
            if receipts:
                self._unsafe.append((result, receipts))
            else:
                found.append(result)
        if self._unsafe and self._clock.monotonic() >= self._try_at:
            found += self._keep()
        return found

    def abandon(self, batches: Collection[int]) -> None:
        """See `Sender.abandon`. A deletion whose receipt is not safe counts as not confirmed, and is made again."""
        gone = [result for result, _ in self._unsafe if result.batch.number in batches]
        self._unsafe = [each for each in self._unsafe if each[0].batch.number not in batches]
        self._abandoned += [_without_deletions(result) for result in gone]
        self._sender.abandon(batches)

    def set_share(self, share: float) -> None:
        """See `Sender.set_share`."""
        self._sender.set_share(share)

    @property
    def capacity(self) -> int:
        """See `Sender.capacity`. Nothing more is sent while receipts cannot be kept."""
        return 0 if self._trouble else self._sender.capacity

    @property
    def limits(self) -> SendLimits:
        """See `Sender.limits`."""
        return self._sender.limits

    @property
    def held(self) -> str | None:
        """See `Sender.held`."""
        return self._trouble or self._sender.held

    def close(self) -> None:
        """See `Sender.close`."""
        try:
            self._sender.close()
        finally:
            self._receipts.close()

    def _keep(self) -> list[BatchResult]:
        try:
            self._receipts.keep([receipt for _, receipts in self._unsafe for receipt in receipts])
        except ReceiptsUnavailableError as error:
            if self._trouble is None:
                _log.error(
                    "receipts_unavailable", cause=str(error), then="delivery holds until they can be kept"
                )
            self._trouble = f"deletion receipts cannot be kept: {error}"
            self._try_at = self._clock.monotonic() + RETRY_S
            return []
        if self._trouble is not None:
            self._trouble = None
            _log.info("receipts_available")
        safe = [result for result, _ in self._unsafe]
        self._unsafe.clear()
        return safe

    def _receipts_of(self, result: BatchResult) -> Iterator[Receipt]:
        for operation, outcome in zip(result.batch.operations, result.outcomes, strict=True):
            if (
                isinstance(outcome, Confirmed)
                and operation.source.kind in ERASING_KINDS
                and operation.identity is not None
            ):
                yield Receipt(
                    operation.kind,
                    operation.identity.kind,
                    self._name(operation.identity),
                    hashed=self._name is not plain_name,
                    position=operation.record.record.position,
                    rule=operation.source.rule,
                    accepted_ms=int(self._clock.now() * 1000),
                    sent_to=self._sent_to,
                    status=outcome.status,
                )


def _is_deletion(operation: Operation, outcome: Outcome) -> bool:
    return operation.source.kind in ERASING_KINDS and isinstance(outcome, Confirmed)


def _without_deletions(result: BatchResult) -> BatchResult:
    outcomes = [
        ABANDONED if _is_deletion(operation, outcome) else outcome
        for operation, outcome in zip(result.batch.operations, result.outcomes, strict=True)
    ]
    return replace(result, outcomes=outcomes)
