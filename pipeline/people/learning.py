"""Learning from the topic who is identified: what the register does not have is read in a thread of its own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Protocol

import structlog

from pipeline.errors import PipelineError
from pipeline.people.known import KnownPeople
from pipeline.people.register import Register
from pipeline.records import Record, TopicPartition
from pipeline.translation import Prepared

_log = structlog.get_logger(__name__)

RETRY_S = 5.0
RECORDS_A_FLUSH = 5_000


class Reading(Protocol):
    """Reads a part of a partition again, without the consumer group."""

    def __call__(
        self, partition: TopicPartition, start: int | None, end: int, stop: Callable[[], bool]
    ) -> Iterator[Sequence[Record]]:
        """Yield the records from `start` (None: the first there is) to before `end`, until `stop` says so.

        Raises:
            PipelineError: they cannot be read now.
        """
        ...


class Learner:
    """Brings the register up to where partitions are read from, one partition after the other.

    `open_register` and `calls_of` are called in the learner's thread only; `calls_of` waits for a schema no longer than
    until its second argument says so. What a partition holds is noted as it is
    read, so that an interruption costs nothing that was read before.
    """

    def __init__(
        self,
        read: Reading,
        calls_of: Callable[[Record, Callable[[], bool]], Iterable[Prepared]],
        open_register: Callable[[], Register],
        now: Callable[[], float],
    ) -> None:
        self._read = read
        self._calls_of = calls_of
        self._open_register = open_register
        self._now = now
        self._lock = Lock()
        self._wanted: dict[TopicPartition, int] = {}
        self._done: set[TopicPartition] = set()
        self._queue: SimpleQueue[TopicPartition | None] = SimpleQueue()
        self._closing = Event()
        self._thread: Thread | None = None
        self._at: str | None = None
        self._cause: str | None = None
        self._ended_by: Exception | None = None

    def learn(self, partition: TopicPartition, end: int) -> None:
        """Begin to learn what a partition holds below `end`."""
        with self._lock:
            self._wanted[partition] = end
            self._done.discard(partition)
        self._queue.put(partition)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="learner", daemon=True)
            self._thread.start()

    def is_done(self, partition: TopicPartition) -> bool:
        """Tell whether everything that was asked of a partition is learned."""
        return partition in self._done

    def check(self) -> None:
        """Raise what ended the thread, if anything did: that is a bug, not an outage, and no later try mends it."""
        if self._ended_by is not None:
            raise self._ended_by

    def forget(self, partition: TopicPartition) -> None:
        """Learn no more of a partition; it is not ours."""
        with self._lock:
            self._wanted.pop(partition, None)
            self._done.discard(partition)

    @property
    def trouble(self) -> str | None:
        """What is being learned, or why it cannot be, in a safe sentence; None when everything is learned."""
        if not self._wanted.keys() - self._done:
            return None
        if self._cause is not None:
            return f"cannot learn who is identified: {self._cause}"
        return f"learning who is identified{self._at or ''}"

    def close(self) -> None:
        """End the thread; what it has not read is read another time."""
        self._closing.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        register: Register | None = None
        try:
            while (partition := self._queue.get()) is not None:
                try:
                    register = register or self._open_register()
                    self._learn(partition, register)
                except PipelineError as error:
                    self._fail(partition, str(error))
        except Exception as error:  # raised again in the engine's thread, which would wait for ever
            self._ended_by = error
        finally:
            if register is not None:
                register.close()

    def _fail(self, partition: TopicPartition, cause: str) -> None:
        if self._closing.is_set() or partition not in self._wanted:
            return  # it was interrupted
        if self._cause is None:
            _log.warning("learning_fails", partition=str(partition), cause=cause, then="tried again")
        self._cause = cause
        self._closing.wait(RETRY_S)
        self._queue.put(partition)

    def _learn(self, partition: TopicPartition, register: Register) -> None:
        end = self._wanted.get(partition)
        if end is None or self._closing.is_set():
            return
        start = register.read_up_to(partition)
        if start is None or start < end:
            _log.info("learning_people", partition=str(partition), start=start, end=end)
            if not self._read_part(partition, start, end, register):
                return
            _keep(register, partition, end)
            _log.info("learned_people", partition=str(partition), end=end)
        self._cause = self._at = None
        with self._lock:
            if self._wanted.get(partition) == end:
                self._done.add(partition)

    def _read_part(self, partition: TopicPartition, start: int | None, end: int, register: Register) -> bool:
        """Note what a part of a partition tells; return whether it was read to its end."""
        people, unkept = KnownPeople(register, self._now), 0

        def is_over() -> bool:
            return self._closing.is_set() or self._wanted.get(partition) != end

        for records in self._read(partition, start, end, is_over):
            for record in records:
                for call in self._calls_of(record, is_over):
                    people.remember(call)
            self._cause, self._at = None, f": {partition} is read up to {records[-1].offset:,} of {end:,}"
            unkept += len(records)
            if unkept >= RECORDS_A_FLUSH:
                _keep(register, partition, records[-1].offset + 1)
                unkept = 0
        return not is_over()


def _keep(register: Register, partition: TopicPartition, offset: int) -> None:
    if not register.flush({partition: offset}):
        raise PipelineError("the file of known people cannot be written")
