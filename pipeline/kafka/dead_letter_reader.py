"""Dead letters of a topic read back: all that it holds now, without joining any group."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.deadletters.json_lines import NotADeadLetterError, from_line
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.kafka.dead_letter_message import PREFIX, RESOLUTION
from pipeline.kafka.dead_letter_topic import DeadLetterTopicOptions
from pipeline.kafka.messages import headers_of
from pipeline.kafka.settings import without_secrets
from pipeline.records import Headers, Position, Record

ASK_TIMEOUT_S = 10.0
SILENCE_S = 30.0
"""How long the brokers may send nothing before the reader gives up."""


@dataclass(frozen=True, slots=True)
class Omitted:
    """A dead letter whose original was too large for the topic; the overflow file has it, if there was one."""

    text: str = "its original was too large for the topic"


@dataclass(frozen=True, slots=True)
class Strange:
    """A message that is no dead letter."""

    text: str


Found = DeadLetter | Resolution | Omitted | Strange


def read_dead_letters(
    options: DeadLetterTopicOptions,
    monotonic: Callable[[], float] = time.monotonic,
    *,
    ask_timeout_s: float = ASK_TIMEOUT_S,
) -> Iterator[tuple[Position, Found]]:
    """Yield what each message of the topic holds, up to the end that it has now.

    Raises:
        ConfigurationError: there is no such topic, or the client refuses a setting.
        PipelineError: the brokers do not answer.
    """
    consumer = _consumer(options)
    try:
        ends = _ends(consumer, options, ask_timeout_s)
        consumer.assign([KafkaPartition(options.topic, number, OFFSET_BEGINNING) for number in ends])
        heard_at = monotonic()
        while ends:
            messages = consumer.consume(500, 0.5)
            if messages:
                heard_at = monotonic()
            elif monotonic() - heard_at > SILENCE_S:
                raise PipelineError(
                    f"the dead-letter topic {options.topic} sends nothing; are its brokers up?"
                )
            for message in messages:
                yield from _found(message, ends)
            _drop_finished(consumer, ends, options.topic)
    except KafkaException as error:
        text = without_secrets(error.args[0].str(), options.properties)
        raise PipelineError(f"cannot read the dead-letter topic {options.topic}: {text}") from None
    finally:
        consumer.close()


def _consumer(options: DeadLetterTopicOptions) -> Consumer:
    ours = {
        "bootstrap.servers": options.bootstrap_servers,
        "group.id": "cio-pipeline-dead-letters",  # the client asks for a name; nothing is joined or committed
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "log_level": 0,
    }
    try:
        return Consumer({**_consumer_properties(options), **ours})
    except (KafkaException, ValueError, TypeError) as error:
        text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        safe = without_secrets(text, options.properties)
        raise ConfigurationError(f"the Kafka client refuses its settings for dead letters: {safe}") from None


def _consumer_properties(options: DeadLetterTopicOptions) -> dict[str, str | bool | int | float]:
    """Return the properties without those that only a producer has."""
    own = (
        "compression.",
        "message.timeout",
        "linger.",
        "batch.",
        "queue.buffering",
        "delivery.timeout",
        "retries",
    )
    return {name: value for name, value in options.properties.items() if not name.startswith(own)}


def _ends(consumer: Consumer, options: DeadLetterTopicOptions, timeout_s: float) -> dict[int, int]:
    """Return the end of each partition that holds anything."""
    topic = consumer.list_topics(options.topic, timeout=timeout_s).topics[options.topic]
    if topic.error is not None and topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise ConfigurationError(
            f"the dead-letter topic {options.topic} does not exist at {options.bootstrap_servers}"
        )
    ends = {}
    for number in topic.partitions:
        low, high = consumer.get_watermark_offsets(KafkaPartition(options.topic, number), timeout=timeout_s)
        if high > low:
            ends[number] = high
    return ends


def _found(message: Message, ends: dict[int, int]) -> Iterator[tuple[Position, Found]]:
    error, partition, offset = message.error(), message.partition(), message.offset()
    if error is not None:
        if error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        return
    assert partition is not None
    assert offset is not None
    if offset < ends.get(partition, 0):
        yield Position(message.topic() or "", partition, offset), _read(message)


def _drop_finished(consumer: Consumer, ends: dict[int, int], topic: str) -> None:
    """Let go of partitions whose end was reached, by position: the last offsets may hold no message."""
    places = [KafkaPartition(topic, number) for number in ends]
    for place in consumer.position(places):
        if place.offset >= ends[place.partition]:
            del ends[place.partition]


def _read(message: Message) -> Found:
    headers = headers_of(message)
    try:
        if [name for name, _ in headers] == [RESOLUTION]:
            return from_line(message.value() or b"")
        first = _first_of_ours(headers)
        ours = dict(headers[first:])
        if f"{PREFIX}omitted" in ours:
            return Omitted()
        return _entry(message, headers[:first], ours)
    except (NotADeadLetterError, KeyError, TypeError, ValueError, AttributeError):
        return Strange("the message is no dead letter")


def _entry(message: Message, originals: Headers, ours: dict[str, bytes | None]) -> DeadLetter:
    def text(name: str) -> str | None:
        value = ours[f"{PREFIX}{name}"]
        return None if value is None else value.decode()

    def text_if_given(name: str) -> str | None:
        return text(name) if f"{PREFIX}{name}" in ours else None

    def number(name: str) -> int | None:
        value = text(name)
        return None if value is None else int(value)

    record = Record(
        text("topic") or "",
        int(text("partition") or ""),
        int(text("offset") or ""),
        message.key(),
        message.value(),
        originals,
        number("timestamp_ms"),
    )
    return DeadLetter(
        record,
        Reason(text("reason") or ""),
        text("text") or "",
        int(text("first_seen_ms") or ""),
        _source(ours[f"{PREFIX}source"]),
        text("field"),
        number("status"),
        text("answer"),
        number("attempts") or 0,
        replay=text_if_given("replay"),
        as_new=text_if_given("as_new"),
    )


def _first_of_ours(headers: Headers) -> int:
    """Return where our headers begin: the original's come first, and may be named like ours."""
    names = [name for name, _ in headers]
    return len(names) - 1 - names[::-1].index(f"{PREFIX}topic")


def _source(value: bytes | None) -> CallSource | None:
    if value is None:
        return None
    rule, kind, name, ordinal, element = orjson.loads(value)
    return CallSource(rule, CallKind(kind), name, ordinal, element)
