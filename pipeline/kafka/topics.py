"""The topics that are read, and how many partitions each has."""

import re
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException

from pipeline.errors import ConfigurationError
from pipeline.kafka.options import KafkaOptions


def known_topics(consumer: Consumer, timeout_s: float) -> dict[str, int] | None:
    """Return the number of partitions of each topic there is, None when the brokers cannot be asked now.

    Never inside a callback of the consumer: `list_topics` wipes the state that confluent-kafka 2.16 keeps
    for the call around it, and the next callback of the same `consume` aborts the process (`CallState_get`).
    """
    try:
        topics = consumer.list_topics(timeout=timeout_s).topics
    except KafkaException:
        return None
    return {name: len(topic.partitions) for name, topic in topics.items()}


def require_topics(known: Mapping[str, int], options: KafkaOptions) -> None:
    """Check that the topics that are named exist. Brokers that name none at all may just have started.

    Raises:
        ConfigurationError: one does not.
    """
    for topic in options.topics if known else ():
        if not topic.startswith("^") and topic not in known:
            raise topic_missing(topic, options)


def topic_missing(topic: str, options: KafkaOptions) -> ConfigurationError:
    """Return the error for a topic that is not there."""
    return ConfigurationError(
        f"the topic {topic} does not exist at {options.bootstrap_servers}, or the user may not see it;"
        " check kafka.topics"
    )


def partitions_read(known: Mapping[str, int], options: KafkaOptions) -> int:
    """Return how many partitions the topics have that we read, whoever reads them."""
    patterns = [re.compile(topic) for topic in options.topics if topic.startswith("^")]
    return sum(
        count
        for name, count in known.items()
        if name in options.topics or any(pattern.search(name) for pattern in patterns)
    )
