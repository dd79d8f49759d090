"""The topics that are read, and how many partitions each has."""

import re
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaException

from pipeline.errors import ConfigurationError
from pipeline.kafka.options import KafkaOptions

_FIRST_TIMEOUT_S, _LONGEST_TIMEOUT_S = 0.2, 5.0
_PAUSE_TO_TIMEOUT = 4


class TopicLookup:
    """Asks how many partitions the topics have: at the start, and whenever somebody asks again.

    `at_start` has the first answer, empty before it. `partition_total` is how many partitions we read, whoever reads
    them, 0 before the first answer.
    """

    def __init__(self, options: KafkaOptions, monotonic: Callable[[], float]) -> None:
        self.at_start: dict[str, int] = {}
        self.partition_total = 0
        self._options = options
        self._monotonic = monotonic
        # Short at first, since what is told to stop must not wait for brokers, and longer where they are far away.
        self._timeout_s = _FIRST_TIMEOUT_S
        self._not_before = 0.0

    def look(self, consumer: Consumer) -> bool:
        """Ask if it is time to, and return whether there was an answer. See `known_topics` for where not to.

        Most of the time is left to reading: after a question without an answer comes a pause of several times as long.

        Raises:
            ConfigurationError: a topic that is named does not exist at the start.
        """
        if self._monotonic() < self._not_before:
            return False
        known = known_topics(consumer, self._timeout_s)
        if known is None:
            self._not_before = self._monotonic() + _PAUSE_TO_TIMEOUT * self._timeout_s
            self._timeout_s = min(2 * self._timeout_s, _LONGEST_TIMEOUT_S)
            return False
        if not self.partition_total:
            require_topics(known, self._options)
            self.at_start.update(known)
        self.partition_total = partitions_read(known, self._options) or self.partition_total
        return True


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
