"""Feeds the shop's records into Kafka, never so far ahead that the embedded broker would have to forget some."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from threading import Event, Thread

from pipeline.demo.shop import ShopRecord
from pipeline.errors import PipelineError
from pipeline.kafka.writer import TopicWriter

MAX_AHEAD_BYTES = 2_000_000
"""The embedded broker keeps about 5 MB a partition and drops the oldest in silence (librdkafka's mock cluster)."""


class Feeder:
    """Writes records in a thread of its own. `settled` tells how many of them the pipeline is done with.

    `failure` is why it ended early, if it did.
    """

    def __init__(
        self,
        writer: TopicWriter,
        records: Iterable[ShopRecord],
        settled: Callable[[], int],
        *,
        max_ahead_bytes: int = MAX_AHEAD_BYTES,
    ) -> None:
        self._writer = writer
        self._records = records
        self._settled = settled
        self._max_ahead_bytes = max_ahead_bytes
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="feeder", daemon=True)
        self.written = 0
        self.failure: PipelineError | None = None

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether everything is written and acknowledged, or writing failed."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End, also before everything is written."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write_all()
            self._writer.flush()
        except PipelineError as error:
            self.failure = error

    def _write_all(self) -> None:
        ahead: deque[int] = deque()  # the sizes of the records that are not settled, oldest first
        ahead_bytes = 0
        for record in self._records:
            size = len(record.value or b"") + len(record.key or b"") + 100
            while ahead_bytes + size > self._max_ahead_bytes and ahead:
                self._writer.poll()
                for _ in range(len(ahead) - (self.written - self._settled())):
                    ahead_bytes -= ahead.popleft()
                if self._stopping.wait(0.005):
                    return
            if self._stopping.is_set():
                return
            self._writer.write(record.key, record.value, record.timestamp_ms)
            self.written += 1
            ahead.append(size)
            ahead_bytes += size


def history_start_ms(records: int, step_ms: int = 40) -> int:
    """Return when a story of so many records must begin to end about now, in Unix milliseconds."""
    return int(time.time() * 1000) - records * step_ms
