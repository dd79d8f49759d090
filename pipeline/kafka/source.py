"""The consumer behind the `Source` port: a member of a consumer group, owned by one thread."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.errors import ConfigurationError
from pipeline.kafka.callbacks import Callbacks
from pipeline.kafka.commits import commit
from pipeline.kafka.connection import Connection
from pipeline.kafka.membership import Membership
from pipeline.kafka.messages import MessageReader
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.partitions import Partitions
from pipeline.kafka.placement import Placement
from pipeline.kafka.refusals import ClientBrokenError, refusal
from pipeline.kafka.settings import client_configuration, without_secrets
from pipeline.kafka.topics import TopicLookup, topic_missing
from pipeline.ports import AssignmentListener, CommitResult
from pipeline.records import Record, TopicPartition
from pipeline.status import ClientStatus

_log = structlog.get_logger(__name__)

_TOPIC_MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION})
_HANDED_OUT_AT_ONCE = 10_000


class KafkaSource:
    """See `Source`. `passed_over` counts records that are gone before they were read, or left by `out_of_range`."""

    def __init__(
        self,
        options: KafkaOptions,
        monotonic: Callable[[], float] = time.monotonic,
        passed_over: Counter[TopicPartition] | None = None,
    ) -> None:
        self._options = options
        self._monotonic = monotonic
        self._callbacks = Callbacks()
        self._connection = Connection(options)
        self._partitions = Partitions()
        self._consumer: Consumer | None = None
        self._membership: Membership | None = None
        self._placement: Placement | None = None
        self._topics = TopicLookup(options, monotonic)
        self._broken: ClientBrokenError | None = None
        self._reader = MessageReader()
        self.passed_over = Counter() if passed_over is None else passed_over

    @property
    def client(self) -> ClientStatus:
        """See `Source.client`."""
        return self._connection.client

    @property
    def share(self) -> float:
        """See `Source.share`."""
        total = self._topics.partition_total
        return len(self._partitions) / total if total else 1.0

    @property
    def trouble(self) -> str | None:
        """See `Source.trouble`."""
        return self._connection.trouble

    def start(self, listener: AssignmentListener) -> None:
        """See `Source.start`. Brokers that cannot be reached are no error: `trouble` names them, `poll` goes on."""
        consumer = self._new_consumer()
        membership = Membership(
            self._partitions,
            listener,
            incremental=self._options.incremental,
            monotonic=self._monotonic,
        )
        self._consumer, self._membership = consumer, membership
        self._placement = Placement(
            consumer,
            self._options,
            self._partitions,
            membership,
            passed_over=self.passed_over,
            known=self._topics.at_start,
            monotonic=self._monotonic,
        )
        guard = self._callbacks.guard
        consumer.subscribe(
            list(self._options.topics),
            on_assign=guard(membership.assigned),
            on_revoke=guard(membership.revoked),
            on_lost=guard(membership.lost),
        )

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        """See `Source.poll`."""
        self._callbacks.raise_kept()
        if self._broken is not None:
            raise self._broken
        consumer, membership, placement = self._running()
        if self.trouble is None:
            # An assignment is how we learn that a topic has grown.
            if membership.changed and self._topics.look(consumer):
                membership.changed = False
            placement.place()
        messages = consumer.consume(min(max_records, _HANDED_OUT_AT_ONCE), timeout_s)
        records, events = self._reader.read(messages)
        if records:
            self._connection.works()
        for error, message in events:
            self._take_event(error, message)
        return records

    def position(self, partition: TopicPartition) -> int | None:
        """See `Source.position`."""
        return self._placement.position(partition) if self._placement is not None else None

    def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """See `Source.commit`.

        It does not ask while the brokers are known to be out of reach: the client would wait up to a
        session timeout.
        """
        consumer, membership, _ = self._running()
        if membership.is_losing or self._broken is not None:
            return CommitResult({}, "the assignment was lost")
        if self.trouble is not None:
            return CommitResult({}, self.trouble)
        try:
            return commit(consumer, offsets, self._partitions)
        except ClientBrokenError as error:
            self._broken = error
            raise

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.pause`."""
        ours = self._partitions.set_paused(partitions, True)
        if ours:
            self._running()[0].pause(_kafka(ours))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.resume`."""
        ours = self._partitions.set_paused(partitions, False)
        if ours:
            self._running()[0].resume(_kafka(ours))

    def end_offsets(self) -> Mapping[TopicPartition, int]:
        """See `Source.end_offsets`. The client asks for the ends at each statistics interval, paused or not."""
        ends = {}
        for partition in self._partitions:
            [asked] = _kafka([partition])
            _, high = self._running()[0].get_watermark_offsets(asked, cached=True)
            if high >= 0:
                ends[partition] = high
        return ends

    def close(self) -> None:
        """See `Source.close`."""
        if self._consumer is None:
            return
        if self._broken is None:
            self._consumer.close()
        elif self._membership is not None:
            self._callbacks.guard(self._membership.lose)(list(self._partitions))
        self._consumer, self._membership, self._placement = None, None, None
        self._callbacks.raise_kept()

    # Starting

    def _new_consumer(self) -> Consumer:
        guard = self._callbacks.guard
        configuration: dict[str, Any] = {
            **client_configuration(self._options),
            "error_cb": guard(self._connection.report_error),
            "stats_cb": guard(self._connection.report_statistics),
            "throttle_cb": guard(self._connection.report_throttling),
        }
        try:
            return Consumer(configuration, logger=_ClientLog(self._callbacks))
        except (KafkaException, ValueError, TypeError) as error:
            text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            safe = without_secrets(text, self._options.properties)
            raise ConfigurationError(f"the Kafka client refuses its settings: {safe}") from None

    def _running(self) -> tuple[Consumer, Membership, Placement]:
        if self._consumer is None or self._membership is None or self._placement is None:
            raise RuntimeError("the source is not started, or closed")
        return self._consumer, self._membership, self._placement

    # What comes between the records

    def _take_event(self, error: KafkaError, message: Message) -> None:
        topic, number, code = message.topic(), message.partition(), error.code()
        state = (
            None if topic is None or number is None else self._partitions.get(TopicPartition(topic, number))
        )
        if code == KafkaError._PARTITION_EOF:
            if state is not None:
                state.reached = message.offset()
        elif code == KafkaError._AUTO_OFFSET_RESET:
            if state is not None:
                state.wants_start = True
        elif code in _TOPIC_MISSING and not (self._membership and self._membership.joined):
            self._callbacks.keep(topic_missing(topic or ", ".join(self._options.topics), self._options))
        elif (final := refusal(error)) is not None:
            if isinstance(final, ClientBrokenError):
                self._broken = final
            self._callbacks.keep(final)
        else:
            _log.warning("kafka_error", code=error.name(), text=error.str(), topic=topic, partition=number)


class _ClientLog:
    """What the client itself has to say; of interest to who debugs it, since what matters is reported elsewhere."""

    def __init__(self, callbacks: Callbacks) -> None:
        self.log = callbacks.guard(self._log)

    def _log(self, _level: int, text: str, *args: object) -> None:
        _log.debug("kafka_client", text=text % args if args else text)


def _kafka(partitions: Collection[TopicPartition]) -> list[KafkaPartition]:
    return [KafkaPartition(p.topic, p.partition) for p in partitions]
