"""A producer that does not stop: the shop's records at a steady rate, each person's always into one partition."""

import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from zlib import crc32

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.demo.shop import ShopRecord, shop_records
from pipeline.records import Record
from tests.servers.shop_topic import START_MS

_EMPTY_EVERY = 200
_FLUSH_S = 120.0


class Feed:
    """Writes in a thread. `partitions` may grow meanwhile: people who are new then are spread over all of them."""

    def __init__(
        self, bootstrap_servers: str, topic: str, partitions: int, *, rate: int, count: int, people: int
    ) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 20,
                "topic.metadata.refresh.interval.ms": 1_000,
                "log_level": 0,
            }
        )
        self._topic = topic
        self._rate = rate
        self._shop = shop_records(count, seed=1, start_ms=START_MS, people=people)
        self._partition_of: dict[bytes, int] = {}
        self._stop = Event()
        self._thread = Thread(target=self._run, name="feed", daemon=True)
        self.partitions = partitions
        self.written: list[Record] = []
        self.failures: list[str] = []

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def finish(self) -> None:
        """Stop, and wait until the brokers have everything."""
        self._stop.set()
        self._thread.join()
        left = self._producer.flush(_FLUSH_S)
        if left:
            self.failures.append(f"{left} records were never acknowledged")

    def _run(self) -> None:
        started = time.monotonic()
        for number, record in enumerate(self._records()):
            while number > (time.monotonic() - started) * self._rate:
                self._producer.poll(0.01)
            if self._stop.is_set():
                return
            self._write(record, self._partition(record.key, number))

    def _write(self, record: ShopRecord, partition: int) -> None:
        while True:
            try:
                return self._producer.produce(
                    self._topic,
                    key=record.key,
                    value=record.value,
                    timestamp=record.timestamp_ms,
                    partition=partition,
                    on_delivery=self._noting(record),
                )
            except KafkaException as error:
                if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    raise
                self._producer.poll(0.1)  # the partition is new and the client has not heard of it

    def _records(self) -> Iterator[ShopRecord]:
        for number, record in enumerate(self._shop):
            yield record
            if number % _EMPTY_EVERY == 0:
                yield ShopRecord(None, b"", record.timestamp_ms)

    def _partition(self, key: bytes | None, number: int) -> int:
        if key is None:
            return number % self.partitions
        return self._partition_of.setdefault(key, crc32(key) % self.partitions)

    def _noting(self, record: ShopRecord) -> Callable[[KafkaError | None, Message], None]:
        def note(error: KafkaError | None, message: Message) -> None:
            partition, offset = message.partition(), message.offset()
            if error is not None or partition is None or offset is None:
                self.failures.append(str(error))
                return
            time_ms = record.timestamp_ms
            self.written.append(Record(self._topic, partition, offset, record.key, record.value, (), time_ms))

        return note
