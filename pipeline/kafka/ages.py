"""How old the next record of a partition is, and how long its topic keeps records: asked of the brokers.

A client of its own does it, which reads one record a partition and belongs to no group.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import wait
from dataclasses import dataclass, replace
from threading import Event

from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_client import open_client
from pipeline.records import TopicPartition

ANSWER_TIMEOUT_S = 5.0
_POLL_S = 0.2
_FETCH_BYTES = 65_536  # one record is wanted; the brokers give a larger one whole


@dataclass(frozen=True, slots=True)
class NextRecord:
    """The first record at or behind an offset: when it was written, or that it is `gone`, deleted by the topic.

    `timestamp_ms` is None where the record has none, and where there is no record yet.
    """

    offset: int
    timestamp_ms: int | None = None
    gone: bool = False


class RecordAges:
    """Looks at records, in one thread; only `cancel` may be called from another.

    `timeout_s` is how long the brokers may take to answer one question.

    Raises:
        ConfigurationError: the client refuses a setting.
    """

    def __init__(
        self,
        options: KafkaOptions,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        small = {"fetch.message.max.bytes": _FETCH_BYTES, "queued.min.messages": 1}
        self._options = replace(
            options, properties={**options.properties, **small}, queue_max_kilobytes=1_024
        )
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._cancelled = Event()
        self._consumer: Consumer | None = open_client(self._options, error_cb=lambda _error: None)

    def look(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, NextRecord]:
        """Return the next record of each partition; those that do not answer in time are left out."""
        found: dict[TopicPartition, NextRecord] = {}
        if self._consumer is None or not offsets:
            return found
        self._consumer.assign([KafkaPartition(*partition, offset) for partition, offset in offsets.items()])
        deadline = self._monotonic() + self._timeout_s
        try:
            while len(found) < len(offsets) and self._goes_on(deadline):
                self._take(offsets, found)
        finally:
            self._consumer.unassign()
        return found

    def retention_s(self, topics: Collection[str]) -> dict[str, float | None]:
        """Return how many seconds each topic keeps records, None for ever; a topic that may not be asked is left out.

        What a topic deletes for its size (`retention.bytes`) cannot be told in time and does not count.
        """
        admin = AdminClient(
            {
                **self._options.properties,
                "bootstrap.servers": self._options.bootstrap_servers,
                "log_level": 0,
            }
        )
        asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        found: dict[str, float | None] = {}
        answers = admin.describe_configs(asked, request_timeout=self._timeout_s)
        deadline = self._monotonic() + self._timeout_s
        for resource, answer in answers.items():
            while not answer.done() and self._goes_on(deadline):
                wait([answer], _POLL_S)
            if answer.done() and answer.exception() is None:
                settings = {name: entry.value for name, entry in answer.result().items()}
                found[resource.name] = _retention_s(settings)
        return found

    def cancel(self) -> None:
        """Let what is being asked end at once, with what is known by then."""
        self._cancelled.set()

    def close(self) -> None:
        """Let the brokers go."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _goes_on(self, deadline: float) -> bool:
        return not self._cancelled.is_set() and self._monotonic() < deadline

    def _take(self, offsets: Mapping[TopicPartition, int], found: dict[TopicPartition, NextRecord]) -> None:
        assert self._consumer is not None
        for message in self._consumer.consume(len(offsets), _POLL_S):
            topic, number, error = message.topic(), message.partition(), message.error()
            if topic is None or number is None:
                continue
            partition = TopicPartition(topic, number)
            if partition in found or partition not in offsets:
                continue
            if error is None:
                kind, timestamp_ms = message.timestamp()
                found[partition] = NextRecord(offsets[partition], timestamp_ms if kind else None)
            elif error.code() == KafkaError._PARTITION_EOF:
                found[partition] = NextRecord(offsets[partition])
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                found[partition] = NextRecord(offsets[partition], gone=True)


def _retention_s(settings: Mapping[str, str | None]) -> float | None:
    if "delete" not in (settings.get("cleanup.policy") or ""):
        return None
    milliseconds = int(settings.get("retention.ms") or -1)
    return None if milliseconds < 0 else milliseconds / 1000
