"""Reading ranges of partitions to their ends, by position: holes and control records count as read."""

import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import closing

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.errors import PipelineError, RemoteRefusedError
from pipeline.kafka.callbacks import Callbacks
from pipeline.kafka.connection import Connection
from pipeline.kafka.messages import MessageReader
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.refusals import refusal
from pipeline.kafka.replay_client import open_client
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record, TopicPartition

GIVE_UP_S = 60.0
"""How long the brokers may be out of reach before reading ends, where nobody says otherwise."""

Ranges = Mapping[TopicPartition, ReplayRange]


class RangeReader:
    """Reads each range once, several partitions at a time, from `positions` where a range was begun before.

    `give_up_s` is how many seconds the brokers may be out of reach.
    """

    def __init__(
        self,
        options: KafkaOptions,
        ranges: Ranges,
        positions: Mapping[TopicPartition, int] | None = None,
        *,
        give_up_s: float = GIVE_UP_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ranges = ranges
        self._options = options
        self._positions = {name: (positions or {}).get(name, each.start) for name, each in ranges.items()}
        self._unread = {name for name, each in ranges.items() if self._positions[name] < each.end}
        self._give_up_s = give_up_s
        self._monotonic = monotonic
        self._silent_since: float | None = None
        self._callbacks = Callbacks()
        self._connection = Connection(options)
        self._messages = MessageReader()
        self._client = self._open()

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """Where each range stands, now and later."""
        return self._positions

    @property
    def exhausted(self) -> bool:
        """Whether every range has been read to its end."""
        return not self._unread

    @property
    def trouble(self) -> str | None:
        """What keeps the client from its brokers, None when nothing does."""
        return self._connection.trouble

    def position(self, partition: TopicPartition) -> int | None:
        """Return the offset after everything that was returned or passed over; at most the end of the range."""
        return self._positions.get(partition)

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return the next records of the ranges, in the order of each partition.

        Raises:
            PipelineError: the brokers have been out of reach for too long.
            RemoteRefusedError: the brokers refuse, or records of a range have been deleted meanwhile.
        """
        self._callbacks.raise_kept()
        records, events = self._messages.read(self._client.consume(max_records, timeout_s))
        if records:
            self._connection.works()
        # The records first: the notice of a partition's end comes behind them.
        ours = [record for record in records if self._pass(record)]
        for error, message in events:
            self._take_event(error, message)
        self._keep_patience()
        return ours

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Stop fetching these; those that are read to their end are passed over."""
        self._client.pause(_kafka(self._unread.intersection(partitions)))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch these again; those that are read to their end are passed over."""
        self._client.resume(_kafka(self._unread.intersection(partitions)))

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def _open(self) -> Consumer:
        guard = self._callbacks.guard
        client = open_client(
            self._options,
            error_cb=guard(self._connection.report_error),
            stats_cb=guard(self._connection.report_statistics),
        )
        starts = [KafkaPartition(*name, self._positions[name]) for name in self._unread]
        client.assign(starts)
        return client

    def _pass(self, record: Record) -> bool:
        """Move the position past a record; tell whether it belongs to the range."""
        name = record.topic_partition
        if name not in self._unread:
            return False
        self._reach(name, record.offset + 1)
        return self.ranges[name].holds(record)

    def _reach(self, name: TopicPartition, offset: int) -> None:
        end = self.ranges[name].end
        self._positions[name] = max(self._positions[name], min(offset, end))
        if offset >= end:
            self._unread.discard(name)
            self._client.pause(_kafka([name]))

    def _take_event(self, error: KafkaError, message: Message) -> None:
        name = TopicPartition(message.topic() or "", message.partition() or 0)
        if error.code() == KafkaError._PARTITION_EOF:
            self._connection.works()
            if name in self._unread:
                self._reach(name, message.offset() or 0)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise RemoteRefusedError(
                f"{name}: offset {self._positions.get(name)} is not there any more; the topic's retention has deleted"
                " records of the range, or the topic was made anew: begin again with a later --from"
            )
        elif (final := refusal(error)) is not None:
            raise final

    def _keep_patience(self) -> None:
        if self.trouble is None:
            self._silent_since = None
            return
        now = self._monotonic()
        self._silent_since = now if self._silent_since is None else self._silent_since
        if now - self._silent_since >= self._give_up_s:
            raise PipelineError(f"{self.trouble}, for {self._give_up_s:.0f} s now; giving up")


def read_ranges(
    options: KafkaOptions,
    ranges: Ranges,
    *,
    stop: Callable[[], bool] = lambda: False,
    at_once: int = 1_000,
    give_up_s: float = GIVE_UP_S,
) -> Generator[list[Record]]:
    """Yield all records of the ranges, some at a time, until `stop` says so.

    Raises:
        PipelineError: the brokers cannot be reached for `give_up_s` seconds, or refuse.
    """
    with closing(RangeReader(options, ranges, give_up_s=give_up_s)) as reader:
        while not reader.exhausted and not stop():
            records = reader.poll(at_once, 0.1)
            if records:
                yield records


def _kafka(partitions: Collection[TopicPartition]) -> list[KafkaPartition]:
    return [KafkaPartition(*partition) for partition in partitions]
