"""Receipts in memory, which a test can break."""

from collections.abc import Sequence

from pipeline.receipts.log import ReceiptsUnavailableError
from pipeline.receipts.receipt import Receipt


class FakeReceipts:
    """Keeps receipts in `safe`; fails while `broken` says why."""

    def __init__(self) -> None:
        self.safe: list[Receipt] = []
        self.broken: str | None = None
        self.closed = False

    def keep(self, receipts: Sequence[Receipt]) -> None:
        if self.broken is not None:
            raise ReceiptsUnavailableError(self.broken)
        self.safe.extend(receipts)

    def close(self) -> None:
        self.closed = True
