"""Writing records to a topic: for the demo and for tests, which need something to read."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.errors import PipelineError

REACH_TIMEOUT_S = 10.0
FLUSH_TIMEOUT_S = 60.0


class TopicWriter:
    """Writes records to one topic; those of one key go to one partition, in order.

    `acknowledged` counts the records that the broker has.
    """

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._failure: KafkaError | None = None
        self.acknowledged = 0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": 0,
            }
        )

    def create_topic(self, partitions: int, replication: int = 1) -> None:
        """Create the topic.

        Raises:
            PipelineError: no broker answers, or the topic cannot be made.
        """
        admin = AdminClient({"bootstrap.servers": self._bootstrap_servers, "log_level": 0})
        made = admin.create_topics(
            [NewTopic(self._topic, partitions, replication)], request_timeout=REACH_TIMEOUT_S
        )[self._topic]
        try:
            made.result(timeout=REACH_TIMEOUT_S + 5)
        except (KafkaException, TimeoutError) as error:
            text = error.args[0].str() if isinstance(error, KafkaException) else "no answer"
            raise PipelineError(
                f"cannot create the topic {self._topic} at {self._bootstrap_servers}: {text};"
                " is a broker running there, and may it be reached from here?"
            ) from None

    def write(
        self,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        """Hand a record over; it waits while the producer's queue is full.

        Raises:
            PipelineError: the broker refused a record that was written before.
        """
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=key,
                    value=value,
                    timestamp=timestamp_ms,
                    headers=list(headers),
                    on_delivery=self._on_delivery,
                )
                break
            except BufferError:
                self._producer.poll(0.1)
        self.poll()

    def poll(self, timeout_s: float = 0.0) -> None:
        """Take note of what the broker has acknowledged.

        Raises:
            PipelineError: the broker refused a record.
        """
        self._producer.poll(timeout_s)
        if self._failure is not None:
            raise PipelineError(f"the broker refused a record for {self._topic}: {self._failure.str()}")

    def flush(self) -> None:
        """Wait until the broker has everything.

        Raises:
            PipelineError: it refused a record, or does not answer in time.
        """
        left = self._producer.flush(FLUSH_TIMEOUT_S)
        self.poll()
        if left:
            raise PipelineError(f"{left} records did not reach {self._bootstrap_servers} in time")

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.acknowledged += 1
        elif self._failure is None:
            self._failure = error
