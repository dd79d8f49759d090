"""Where the calls of a replay go when they do not go to Customer.io, and progress that nobody keeps."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from pipeline.deadletters.entry import DeadLetter
from pipeline.delivery.batch import CONFIRMED, Batch, BatchResult
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import ConfigurationError
from pipeline.ports import CommitResult, DeadLetterStore, SendLimits
from pipeline.records import TopicPartition
from pipeline.tally import Tally


class FileSender:
    """A `Sender` that writes each call as a line of JSON, in the words of Customer.io's v2 API.

    Raises:
        ConfigurationError: the file cannot be written.
    """

    capacity = 1
    held: str | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._results: list[BatchResult] = []
        try:
            self._file: IO[bytes] = path.open("wb")
        except OSError as error:
            raise ConfigurationError(f"--output: cannot write {path}: {error.strerror}") from None

    def set_share(self, share: float) -> None:
        """See `Sender.set_share`. A file takes everything."""

    @property
    def limits(self) -> SendLimits:
        """See `Sender.limits`."""
        return SendLimits(math.inf, self.capacity)

    def submit(self, batch: Batch) -> None:
        """See `Sender.submit`."""
        try:
            self._file.writelines(operation.payload + b"\n" for operation in batch.operations)
        except OSError as error:
            raise ConfigurationError(f"--output: cannot write {self._path}: {error.strerror}") from None
        self._results.append(BatchResult(batch, [CONFIRMED] * len(batch.operations)))

    def results(self, timeout_s: float) -> Sequence[BatchResult]:  # noqa: ARG002 - nothing is ever waited for
        """See `Sender.results`."""
        found, self._results = self._results, []
        return found

    def abandon(self, batches: Collection[int]) -> None:
        """See `Sender.abandon`. What is written stays written."""

    def close(self) -> None:
        """See `Sender.close`."""
        self._file.close()


class CountedDeadLetters:
    """A `DeadLetterStore` for trial runs: the engine's tally counts the entries, and nothing is kept."""

    def __init__(self) -> None:
        self._records: list[OpenRecord] = []

    def write(self, entry: DeadLetter, record: OpenRecord) -> None:  # noqa: ARG002 - counted by the engine
        """See `DeadLetterStore.write`."""
        self._records.append(record)

    def flush(self) -> Sequence[OpenRecord]:
        """See `DeadLetterStore.flush`."""
        settled, self._records = self._records, []
        return settled

    def close(self) -> None:
        """See `DeadLetterStore.close`."""


class MarkedDeadLetters:
    """A `DeadLetterStore` that says of each entry which replay it comes from, and how that gave events other ids.

    `carried` gives the entries of what a failed call carried. They are written with its own, and `tally` counts each.
    """

    def __init__(
        self,
        store: DeadLetterStore,
        replay: str,
        as_new: str | None,
        carried: Callable[[DeadLetter], Sequence[DeadLetter]],
        tally: Tally,
    ) -> None:
        self._store = store
        self._replay = replay
        self._as_new = as_new
        self._carried = carried
        self._tally = tally
        self._unsafe: Counter[OpenRecord] = Counter()  # entries besides those that the keeper knows of

    def write(self, entry: DeadLetter, record: OpenRecord) -> None:
        """See `DeadLetterStore.write`."""
        carried = self._carried(entry)
        for each in (entry, *carried):
            self._store.write(replace(each, replay=self._replay, as_new=self._as_new), record)
        if carried and entry.source is not None:
            self._unsafe[record] += len(carried)
            self._tally.calls[entry.source.kind] += len(carried)
            self._tally.dead_letters[entry.reason] += len(carried)

    def flush(self) -> Sequence[OpenRecord]:
        """See `DeadLetterStore.flush`. A record is safe with the last of its entries."""
        return [record for record in self._store.flush() if not self._is_waiting(record)]

    def _is_waiting(self, record: OpenRecord) -> bool:
        if record not in self._unsafe:
            return False
        self._unsafe[record] -= 1
        if not self._unsafe[record]:
            del self._unsafe[record]
        return True

    def close(self) -> None:
        """See `DeadLetterStore.close`."""
        self._store.close()


class UnkeptProgress:
    """Progress of a trial run: it always begins at the beginning."""

    def keep(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """Take note of nothing."""
        return CommitResult(dict(offsets))

    def beat(self) -> None:
        """Nobody watches."""

    def release(self) -> None:
        """Nothing is held."""
