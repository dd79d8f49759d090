"""Where to begin a partition whose offset the group does not have, or does not have any more.

The client runs with `auto.offset.reset=error`, so that each such partition is reported and nothing is skipped
without a word; the decision is made here.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.errors import RemoteRefusedError
from pipeline.kafka.options import KafkaOptions
from pipeline.records import TopicPartition

_log = structlog.get_logger(__name__)


class Start(NamedTuple):
    """Where a partition begins, and how many records are passed over to get there.

    `elsewhere` says that it is not where the group has committed, or not where the partition was being read.
    """

    offset: int
    skipped: int = 0
    elsewhere: bool = True


class StartPositions:
    """Decides by the options; the consumer answers questions about the partitions.

    `known` holds the number of partitions of each topic when the program started, empty where that is
    unknown.
    """

    def __init__(self, consumer: Consumer, options: KafkaOptions, known: Mapping[str, int]) -> None:
        self._consumer = consumer
        self._options = options
        self._known = known

    def find(
        self, partitions: Collection[TopicPartition], positions: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, Start]:
        """Return where these partitions begin; `positions` holds the next offsets of those that were being read.

        Raises:
            RemoteRefusedError: the next offset is gone and the policy is `fail`.
            KafkaException: the brokers cannot be asked now.
        """
        expected = {**self._committed(partitions), **positions}
        return {partition: self._start(partition, expected.get(partition)) for partition in partitions}

    def _committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        asked = [KafkaPartition(p.topic, p.partition) for p in partitions]
        answers = self._consumer.committed(asked, self._options.lookup_timeout_s)
        for answer in answers:
            if answer.error is not None:  # not the same as "nothing committed"
                raise KafkaException(answer.error)
        return {TopicPartition(p.topic, p.partition): p.offset for p in answers if p.offset >= 0}

    def _start(self, partition: TopicPartition, expected: int | None) -> Start:
        asked = KafkaPartition(partition.topic, partition.partition)
        low, high = self._consumer.get_watermark_offsets(asked, self._options.lookup_timeout_s)
        if expected is None:
            offset = self._configured_start(partition, low, high)
            _log.info(
                "partition_begins",
                partition=str(partition),
                offset=offset,
                end=high,
                cause="nothing committed",
            )
            return Start(offset)
        if low <= expected <= high:
            return Start(expected, elsewhere=False)
        return self._out_of_range(partition, expected, low, high)

    def _configured_start(self, partition: TopicPartition, low: int, high: int) -> int:
        start = self._options.start
        if isinstance(start, datetime):
            asked = KafkaPartition(partition.topic, partition.partition, round(start.timestamp() * 1000))
            [answer] = self._consumer.offsets_for_times([asked], self._options.lookup_timeout_s)
            if answer.error is not None:  # which looks like "nothing as new as that" but for this
                raise KafkaException(answer.error)
            return answer.offset if answer.offset >= 0 else high
        return low if start == "earliest" or self._is_new(partition) else high

    def _is_new(self, partition: TopicPartition) -> bool:
        """Tell whether the partition was added while we ran: then `latest` would skip records nobody has seen."""
        return bool(self._known) and partition.partition >= self._known.get(partition.topic, 0)

    def _out_of_range(self, partition: TopicPartition, expected: int, low: int, high: int) -> Start:
        if expected < low:
            cause = f"{low - expected} records were deleted before they were read"
        else:
            cause = "the topic was recreated or truncated"
        if self._options.out_of_range == "fail":
            raise RemoteRefusedError(
                f"{partition}: offset {expected} is next, and Kafka has {low} to {high}: {cause};"
                " set kafka.out_of_range to earliest or latest to go on without them"
            )
        offset = low if self._options.out_of_range == "earliest" else high
        # After a recreation nobody can say what was missed of the old topic; of the new one it is what lies
        # below.
        skipped = offset - (expected if expected < low else low)
        _log.error(
            "offset_out_of_range",
            partition=str(partition),
            cause=cause,
            expected=expected,
            low=low,
            high=high,
            begins_at=offset,
            records_skipped=skipped,
        )
        return Start(offset, skipped)
