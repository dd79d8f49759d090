"""What a replay asks the brokers before it reads: partitions, their ends, and where a moment stands in them."""

from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.errors import ConfigurationError
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_client import failure, open_client
from pipeline.records import TopicPartition


class TopicLookup:
    """Answers questions about topics, from `with` to the end of the block.

    Raises:
        PipelineError: the brokers do not answer.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._client = open_client(options)

    def topics(self) -> dict[str, list[int]]:
        """Return the topics that the user may see, with the numbers of their partitions."""
        try:
            # Asked for all topics, because a broker may create the one it is asked for by name.
            topics = self._client.list_topics(timeout=self._options.lookup_timeout_s).topics
        except KafkaException as exception:
            raise failure("ask for topics", self._options, exception) from None
        return {name: sorted(topic.partitions) for name, topic in topics.items()}

    def partitions(self, topic: str) -> list[int]:
        """Return the numbers of the topic's partitions.

        Raises:
            ConfigurationError: there is no such topic.
        """
        found = self.topics().get(topic)
        if not found:
            raise ConfigurationError(
                f"the topic {topic} does not exist at {self._options.bootstrap_servers}, or the user may not see it;"
                " check the topic's name and the user's rights"
            )
        return found

    def watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the first offset and the one after the last that a reader of committed records gets."""
        try:
            low, high = self._client.get_watermark_offsets(
                KafkaPartition(*partition), self._options.lookup_timeout_s
            )
        except KafkaException as exception:
            raise failure(f"ask for the ends of {partition}", self._options, exception) from None
        return low, high

    def offset_at(self, partition: TopicPartition, unix_ms: int) -> int | None:
        """Return the first offset whose record is as old as a time or newer, None when there is none."""
        asked = KafkaPartition(partition.topic, partition.partition, unix_ms)
        try:
            [answer] = self._client.offsets_for_times([asked], self._options.lookup_timeout_s)
        except KafkaException as exception:
            raise failure(f"look a time up in {partition}", self._options, exception) from None
        if answer.error is not None:
            raise failure(f"look a time up in {partition}", self._options, KafkaException(answer.error))
        return answer.offset if answer.offset >= 0 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
