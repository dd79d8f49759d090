"""Dead letters in a Kafka topic: the original key and value, everything else in headers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import ConfigurationError, DeadLettersUnavailableError
from pipeline.kafka.dead_letter_message import DeadLetterMessage, pointer_to, resolution_message, whole
from pipeline.kafka.options import PropertyValue
from pipeline.kafka.settings import without_secrets
from pipeline.ports import DeadLetterStore

_log = structlog.get_logger(__name__)

_OURS: Mapping[str, PropertyValue] = {
    # Safe means acknowledged by every replica in sync, once.
    "enable.idempotence": True,
    "acks": "all",
    # The broker knows what its topic takes; the client's own limit would only hide that.
    "message.max.bytes": 100_000_000,
    "queue.buffering.max.kbytes": 262_144,
    "linger.ms": 5,
}
_DEFAULTS: Mapping[str, PropertyValue] = {
    "client.id": "cio-pipeline-dead-letters",
    "compression.type": "lz4",
    # After this long an entry is reported as not written, and written again by the flush after.
    "message.timeout.ms": 30_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterTopicOptions:
    """Where dead letters go. `properties` are librdkafka's; they may hold secrets and stay out of the repr."""

    bootstrap_servers: str
    topic: str
    flush_timeout_s: float = 5.0
    properties: Mapping[str, PropertyValue] = field(default_factory=dict, repr=False)


class _Pending:
    """An entry that is not safe yet."""

    __slots__ = ("entry", "error", "in_flight", "message", "overflowed", "record", "safe")

    def __init__(
        self, message: DeadLetterMessage, record: OpenRecord, entry: DeadLetter | None = None
    ) -> None:
        self.entry = entry
        self.record = record
        self.message = message
        self.in_flight = False
        self.safe = False
        self.overflowed = False
        self.error: KafkaError | None = None

    @property
    def too_large(self) -> bool:
        """Whether the topic refused it, or the batch it travelled in, for its size."""
        return self.error is not None and self.error.code() == KafkaError.MSG_SIZE_TOO_LARGE


class KafkaDeadLetters:
    """See `DeadLetterStore`. An entry that is too large for the topic goes to `overflow`, and a pointer to the topic.

    Raises:
        ConfigurationError: the topic does not exist, or the client refuses a setting.
    """

    def __init__(self, options: DeadLetterTopicOptions, overflow: DeadLetterStore | None = None) -> None:
        self._options = options
        self._overflow = overflow
        self._pending: list[_Pending] = []
        self._producer = self._new_producer()
        self._require_topic()

    def write(self, entry: DeadLetter, record: OpenRecord) -> None:
        """Take an entry; the next flush makes it safe."""
        self._pending.append(_Pending(whole(entry), record, entry))

    def resolve(self, resolution: Resolution, record: OpenRecord) -> None:
        """Take the end of a dead letter; the next flush makes it safe."""
        self._pending.append(_Pending(resolution_message(resolution), record))

    def flush(self) -> Sequence[OpenRecord]:
        """Send what was taken since the last call and wait for the brokers to acknowledge it.

        Raises:
            DeadLettersUnavailableError: nothing was acknowledged in time; all is kept, the next call goes on.
        """
        if not self._pending:
            return ()
        self._send(self._pending)
        for pending in self._pending:
            if pending.too_large:
                self._send_alone(pending)
        safe = [pending.record for pending in self._pending if pending.safe]
        self._pending = [pending for pending in self._pending if not pending.safe]
        if not safe:
            raise DeadLettersUnavailableError(self._why())
        return safe

    def close(self) -> None:
        """Release the producer; what is not safe is not waited for."""
        self._producer.purge()
        self._producer.flush(1.0)
        if self._overflow is not None:
            self._overflow.close()

    def _send(self, entries: Collection[_Pending]) -> None:
        for pending in entries:
            if not pending.in_flight and not pending.safe:
                self._produce(pending)
        self._producer.flush(self._options.flush_timeout_s)

    def _send_alone(self, pending: _Pending) -> None:
        """Send an entry once more by itself, since a batch is refused as a whole, and then a pointer to it."""
        self._send([pending])
        if not pending.too_large or pending.entry is None:
            return
        if self._overflow is not None:
            if not pending.overflowed:
                self._overflow.write(pending.entry, pending.record)
                pending.overflowed = True
            self._overflow.flush()
        pending.message = pointer_to(pending.entry)
        self._send([pending])

    def _produce(self, pending: _Pending) -> None:
        def acknowledged(error: KafkaError | None, _: Message) -> None:
            pending.in_flight = False
            pending.error = error
            pending.safe = error is None

        message = pending.message
        pending.in_flight, pending.error = True, None
        try:
            self._producer.produce(
                self._options.topic,
                message.value,
                message.key,
                on_delivery=acknowledged,
                headers=list(message.headers),
            )
        except BufferError:
            pending.in_flight = False  # The client's queue is full; the next flush goes on.
        except KafkaException as exception:
            pending.in_flight = False
            pending.error = exception.args[0]
            if pending.error is not None and pending.error.fatal():
                self._begin_anew()

    def _begin_anew(self) -> None:
        """Replace a producer that is broken for good; what it had in flight is sent again."""
        self._producer = self._new_producer()
        for pending in self._pending:
            pending.in_flight = False

    def _why(self) -> str:
        topic = self._options.topic
        error = next((pending.error for pending in self._pending if pending.error is not None), None)
        if error is not None:
            return f"the dead-letter topic {topic} cannot be written: {error.str()} ({error.name()})"
        return (
            f"the dead-letter topic {topic} did not acknowledge within {self._options.flush_timeout_s:g} s;"
            f" is a broker of {self._options.bootstrap_servers} up?"
        )

    def _new_producer(self) -> Producer:
        properties = self._options.properties
        refused = sorted(properties.keys() & (_OURS.keys() | {"bootstrap.servers"}))
        if refused:
            raise ConfigurationError(
                f"the Kafka property {refused[0]} may not be set for the dead-letter topic"
            )
        ours = {**_OURS, "bootstrap.servers": self._options.bootstrap_servers}
        try:
            return Producer({**_DEFAULTS, **properties, **ours}, logger=_ClientLog())
        except (KafkaException, ValueError, TypeError) as error:
            text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            safe = without_secrets(text, properties)
            raise ConfigurationError(
                f"the Kafka client refuses its settings for dead letters: {safe}"
            ) from None

    def _require_topic(self) -> None:
        topic = self._options.topic
        try:
            error = self._producer.list_topics(topic, self._options.flush_timeout_s).topics[topic].error
        except KafkaException:
            return  # The brokers cannot be asked now; a flush will say so if it stays like this.
        if error is not None and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise ConfigurationError(
                f"the dead-letter topic {topic} does not exist at {self._options.bootstrap_servers}; create it"
            )


class _ClientLog:
    """What the client itself has to say; of interest to who debugs it."""

    def log(self, _level: int, text: str, *args: object) -> None:
        """Pass a line on."""
        _log.debug("kafka_client", text=text, args=args)
