"""The dead-letter topic as a place for what became of its entries."""

from collections.abc import Callable, Sequence

from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.delivery.open_record import OpenRecord
from pipeline.kafka.assignment import AssignedPartition
from pipeline.kafka.dead_letter_topic import KafkaDeadLetters
from pipeline.records import Record, TopicPartition


class TopicSink:
    """Writes notes to a topic. `open_store` is called with the first one."""

    def __init__(self, open_store: Callable[[], KafkaDeadLetters]) -> None:
        self._open_store = open_store
        self._store: KafkaDeadLetters | None = None
        # A store keeps what it could not write: what was given before must not be given to it again.
        self._taken: set[DeadLetter | Resolution] = set()
        self._left = 0

    def keep(self, notes: Sequence[DeadLetter | Resolution]) -> None:
        """Produce notes and wait until the brokers have all of them.

        After a failure, call it again with the same notes, or with more: none of them is written twice.

        Raises:
            ConfigurationError: the topic does not exist, or the client refuses a setting.
            DeadLettersUnavailableError: the brokers did not acknowledge; they may have some of the notes.
        """
        if self._store is None:
            self._store = self._open_store()
        for note in notes:
            if note not in self._taken:
                self._take(note, self._store)
        while self._left > 0:
            self._left -= len(self._store.flush())
        self._taken.clear()

    def close(self) -> None:
        """Release the producer."""
        if self._store is not None:
            self._store.close()
            self._store = None
        self._taken.clear()
        self._left = 0

    def _take(self, note: DeadLetter | Resolution, store: KafkaDeadLetters) -> None:
        if isinstance(note, DeadLetter):
            store.write(note, _NOBODY)
        else:
            store.resolve(note, _NOBODY)
        self._taken.add(note)
        self._left += 1


# Notes settle no record that somebody waits for.
_NOBODY = OpenRecord(Record("", 0, 0), AssignedPartition(TopicPartition("", 0)), calls=1, weight=0)
