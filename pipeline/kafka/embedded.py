"""A Kafka broker inside this process: librdkafka's mock cluster, for the demo and for fast tests.

It is no proof of anything that Apache Kafka does. It keeps about 5 MB a partition and drops the oldest
batches without a word, keeps nothing on disk, finds no offset by time and does not filter aborted
transactions.
"""

from collections.abc import Collection, Sequence
from enum import IntEnum
from types import TracebackType
from typing import Self

from confluent_kafka import Producer

from pipeline.errors import PipelineError
from pipeline.kafka.native_mock import MockCluster, NativeInterfaceMissingError

ALL_BROKERS = -1
AUTOMATIC_PARTITIONS = 4
"""Partitions of a topic that the mock cluster makes by itself when a client first asks for it."""
_METADATA_TIMEOUT_S = 10.0


class ApiKey(IntEnum):
    """The requests whose errors can be injected, by their number in Kafka's protocol."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    CONSUMER_GROUP_HEARTBEAT = 68


class EmbeddedBrokerError(PipelineError):
    """The embedded broker refused what it was asked."""


class EmbeddedBroker:
    """A mock cluster that lives from construction to `close`, for any client on this machine.

    Everything but `bootstrap_servers` needs librdkafka's native interface.

    Raises:
        NativeInterfaceMissingError: this build of confluent-kafka does not have it.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._cluster = MockCluster(brokers)
        self._closed = False
        # Otherwise every first member of a group waits three seconds.
        self._cluster.call("group_initial_rebalance_delay_ms", 0)

    @property
    def bootstrap_servers(self) -> str:
        """The brokers' addresses, as clients want them."""
        return self._cluster.bootstrap_servers

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic."""
        self._check(self._cluster.call("topic_create", name.encode(), partitions, 1), f"create topic {name}")

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its records; the group's commits stay."""
        self._check(self._cluster.call("topic_delete", name.encode()), f"delete topic {name}")

    def set_topic_error(self, name: str, error: int) -> None:
        """Answer requests for the topic's metadata with this error code; 0 ends that."""
        self._cluster.call("topic_set_error", name.encode(), error)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete the records below an offset, as retention does."""
        code = self._cluster.call("partition_delete_records", topic.encode(), partition, before)
        self._check(code, f"delete records of {topic}/{partition} below {before}")

    def set_down(self, broker: int = ALL_BROKERS) -> None:
        """Cut every connection of a broker and take no new ones. Brokers count from 1. Data stays."""
        self._check(self._cluster.call("broker_set_down", broker), f"take broker {broker} down")

    def set_up(self, broker: int = ALL_BROKERS) -> None:
        """Let a broker take connections again."""
        self._check(self._cluster.call("broker_set_up", broker), f"bring broker {broker} up")

    def set_delay_ms(self, milliseconds: int, broker: int = ALL_BROKERS) -> None:
        """Hold every answer back for this long."""
        self._check(self._cluster.call("broker_set_rtt", broker, milliseconds), f"slow broker {broker} down")

    def push_errors(self, api_key: ApiKey, errors: Sequence[int]) -> None:
        """Let the next requests of this kind fail, one with each error code; 0 lets one pass.

        `KafkaError._TRANSPORT` cuts the connection instead of answering.
        """
        self._cluster.push_errors(api_key, list(errors))

    def clear_errors(self, api_key: ApiKey) -> None:
        """Forget the errors that were pushed and not used."""
        self._cluster.call("clear_request_errors", int(api_key))

    def track_requests(self) -> None:
        """Begin to note requests, or begin anew."""
        self._cluster.call("clear_requests")
        self._cluster.call("start_request_tracking")

    def count_requests(self, api_keys: Collection[ApiKey]) -> int:
        """Return how many requests of these kinds came since `track_requests`."""
        return sum(key in api_keys for key in self._cluster.request_api_keys())

    def close(self) -> None:
        """Stop the broker; everything in it is gone."""
        if not self._closed:
            self._closed = True
            self._cluster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def _check(code: int, what: str) -> None:
        if code:
            raise EmbeddedBrokerError(f"the embedded broker could not {what}: error {code}")


class SimpleEmbeddedBroker:
    """The same cluster without the native interface: topics of four partitions, nothing to inject."""

    def __init__(self, brokers: int = 1) -> None:
        self._owner: Producer | None = Producer({"test.mock.num.brokers": brokers, "log_level": 0})
        addresses = self._owner.list_topics(timeout=_METADATA_TIMEOUT_S).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in addresses)

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic.

        Raises:
            EmbeddedBrokerError: it cannot have this number of partitions.
        """
        if self._owner is None:
            raise EmbeddedBrokerError("the embedded broker is closed")
        if partitions != AUTOMATIC_PARTITIONS:
            raise EmbeddedBrokerError(
                f"a topic of the embedded broker has {AUTOMATIC_PARTITIONS} partitions, not {partitions}: "
                "librdkafka's native interface is missing"
            )
        self._owner.list_topics(name, timeout=_METADATA_TIMEOUT_S)

    def close(self) -> None:
        """Stop the broker; everything in it is gone."""
        self._owner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_embedded_broker(brokers: int = 1) -> EmbeddedBroker | SimpleEmbeddedBroker:
    """Start the fullest embedded broker that this build of confluent-kafka allows."""
    try:
        return EmbeddedBroker(brokers)
    except NativeInterfaceMissingError:
        return SimpleEmbeddedBroker(brokers)
