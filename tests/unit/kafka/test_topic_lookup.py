"""When the topics are looked up, and how long an answer is waited for."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaException

from pipeline.errors import ConfigurationError
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.topics import TopicLookup

OPTIONS = KafkaOptions(bootstrap_servers="far:9092", topics=("events",), group_id="g")


class FarBrokers:
    """Answers after a time, which passes on the clock; remembers how long each question would have waited."""

    def __init__(self, after_s: float, **partitions: int) -> None:
        self.now = 0.0
        self.waited: list[float] = []
        self._after_s = after_s
        self._topics = {name: SimpleNamespace(partitions=range(n)) for name, n in partitions.items()}

    def list_topics(self, timeout: float) -> Any:
        self.waited.append(timeout)
        self.now += min(timeout, self._after_s)
        if timeout < self._after_s:
            raise KafkaException
        return SimpleNamespace(topics=self._topics)

    def lookup(self) -> TopicLookup:
        return TopicLookup(OPTIONS, lambda: self.now)

    def poll(self, lookup: TopicLookup, seconds: float) -> bool:
        """Look every tenth of a second until there is an answer; tell whether one came."""
        end = self.now + seconds
        while self.now < end:
            if lookup.look(self):  # type: ignore[arg-type]
                return True
            self.now += 0.1
        return False


def test_it_waits_longer_each_time_until_there_is_an_answer() -> None:
    brokers = FarBrokers(1.0, events=6, others=3)
    lookup = brokers.lookup()
    assert brokers.poll(lookup, 60.0)
    assert brokers.waited == [0.2, 0.4, 0.8, 1.6]
    assert (lookup.partition_total, lookup.at_start) == (6, {"events": 6, "others": 3})
    assert brokers.poll(lookup, 0.1), "asked again it waits as long at once"


def test_brokers_that_never_answer_take_a_fifth_of_the_time_at_most() -> None:
    brokers = FarBrokers(60.0)
    assert not brokers.poll(brokers.lookup(), 600.0)
    assert max(brokers.waited) == 5.0
    assert sum(brokers.waited[:-1]) <= brokers.now / 5  # the pause after the last is not over


def test_a_topic_that_is_not_there_is_refused() -> None:
    brokers = FarBrokers(0.0, others=3)
    with pytest.raises(ConfigurationError, match="the topic events does not exist"):
        brokers.poll(brokers.lookup(), 1.0)
