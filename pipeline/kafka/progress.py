"""How far a consumer group is, asked of the brokers: also when nothing of it runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.errors import PipelineError

ASK_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """One partition: the group's next offset, None where it has committed nothing, and the partition's end."""

    topic: str
    partition: int
    committed: int | None
    end: int

    @property
    def lag(self) -> int:
        """Records that are not committed; without any commit, all that there have been."""
        return self.end - (self.committed or 0)


def group_progress(
    bootstrap_servers: str,
    group_id: str,
    topic: str,
    properties: Mapping[str, str | bool | int | float] = MappingProxyType({}),
) -> list[PartitionProgress]:
    """Return the progress of a group in a topic, by partition; nothing where there is no such topic.

    A `topic` that begins with `^` is a regular expression. `properties` are librdkafka's, for the way to the brokers.

    Raises:
        PipelineError: the brokers do not answer.
    """
    # A member that never subscribes disturbs nobody: it only asks.
    names = {"bootstrap.servers": bootstrap_servers, "group.id": group_id, "log_level": 0}
    consumer = Consumer({**properties, **names})
    try:
        return [_progress(consumer, place) for place in _committed(consumer, topic)]
    except KafkaException as error:
        raise PipelineError(f"cannot ask {bootstrap_servers} for offsets: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _committed(consumer: Consumer, topic: str) -> list[KafkaPartition]:
    topics = consumer.list_topics(timeout=ASK_TIMEOUT_S).topics
    asked = [
        KafkaPartition(name, partition)
        for name in sorted(topics)
        if name == topic or (topic.startswith("^") and re.search(topic, name))
        for partition in sorted(topics[name].partitions)
    ]
    return consumer.committed(asked, timeout=ASK_TIMEOUT_S) if asked else []


def _progress(consumer: Consumer, place: KafkaPartition) -> PartitionProgress:
    _, end = consumer.get_watermark_offsets(
        KafkaPartition(place.topic, place.partition), timeout=ASK_TIMEOUT_S
    )
    return PartitionProgress(place.topic, place.partition, place.offset if place.offset >= 0 else None, end)
