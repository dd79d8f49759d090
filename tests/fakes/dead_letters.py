"""A dead-letter store in memory, which a test can break."""

from collections.abc import Sequence

from pipeline.deadletters.entry import DeadLetter
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import DeadLettersUnavailableError


class FakeDeadLetters:
    """Keeps entries in `safe` once they are flushed; fails while `broken` says why."""

    def __init__(self) -> None:
        self.safe: list[DeadLetter] = []
        self.broken: str | None = None
        self.closed = False
        self._unsafe: list[tuple[DeadLetter, OpenRecord]] = []

    def write(self, entry: DeadLetter, record: OpenRecord) -> None:
        self._unsafe.append((entry, record))

    def flush(self) -> Sequence[OpenRecord]:
        if not self._unsafe:
            return ()
        if self.broken is not None:
            raise DeadLettersUnavailableError(self.broken)
        self.safe.extend(entry for entry, _ in self._unsafe)
        records = [record for _, record in self._unsafe]
        self._unsafe.clear()
        return records

    def close(self) -> None:
        self.closed = True
