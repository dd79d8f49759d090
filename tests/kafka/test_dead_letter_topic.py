"""Dead letters in a topic of Kafka: complete, acknowledged before they count, and never lost to a broker's mood."""

import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.file import FileDeadLetters
from pipeline.deadletters.json_lines import from_line
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import ConfigurationError, DeadLettersUnavailableError
from pipeline.kafka.assignment import AssignedPartition
from pipeline.kafka.dead_letter_topic import DeadLetterTopicOptions, KafkaDeadLetters
from pipeline.kafka.embedded import ApiKey
from pipeline.ports import DeadLetterStore
from pipeline.records import Record
from pipeline.records import TopicPartition as Partition
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess, skip_without_native_interface

DEADLINE_S = 30.0
HEADERS = (("trace", b"x"), ("trace", None), ("bin", b"\xff"))
RECORD = Record("events", 3, 41, b"\xff\x00", b'{"a": 1}', HEADERS, 1_673_480_413_000)


@pytest.fixture
def broker() -> Iterator[EmbeddedBrokerProcess]:
    skip_without_native_interface()
    with EmbeddedBrokerProcess() as broker:
        broker.create_topic("dead", 1)
        yield broker


def store_on(
    kafka: EmbeddedBrokerProcess | ApacheKafka,
    topic: str = "dead",
    overflow: DeadLetterStore | None = None,
    flush_timeout_s: float = 20.0,
) -> KafkaDeadLetters:
    options = DeadLetterTopicOptions(
        bootstrap_servers=kafka.bootstrap_servers, topic=topic, flush_timeout_s=flush_timeout_s
    )
    return KafkaDeadLetters(options, overflow)


def entry(record: Record = RECORD, **changes: object) -> DeadLetter:
    return DeadLetter(record, Reason.REJECTED, "refused", 1_773_480_414_000, **changes)  # type: ignore[arg-type]


def opened() -> OpenRecord:
    return OpenRecord(RECORD, AssignedPartition(Partition("events", 3)), calls=1, weight=0)


def read(kafka: EmbeddedBrokerProcess | ApacheKafka, topic: str, count: int) -> list[Message]:
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": uuid.uuid4().hex, "fetch.wait.max.ms": 10}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages: list[Message] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(messages) < count and time.monotonic() < deadline:
        messages += [m for m in consumer.consume(count, 0.1) if m.error() is None]
    consumer.close()
    return messages


def header_list(message: Message) -> list[tuple[str, object]]:
    headers = message.headers()
    assert isinstance(headers, list)
    return list(headers)


def headers_of(message: Message) -> dict[str, object]:
    return dict(header_list(message))


def test_what_was_written_is_safe_after_the_flush_and_reported_once(broker: EmbeddedBrokerProcess) -> None:
    store, first, second = store_on(broker), opened(), opened()
    for record in (first, second, first):
        store.write(entry(), record)
    assert list(store.flush()) == [first, second, first]
    assert list(store.flush()) == []
    assert len(read(broker, "dead", 3)) == 3
    store.close()


def test_a_message_holds_all_that_is_needed_to_send_the_call_again(broker: EmbeddedBrokerProcess) -> None:
    store = store_on(broker)
    source = CallSource("order", CallKind.TRACK, "order_placed", 1, "sku-7")
    before = time.time()
    store.write(entry(source=source, field="name", status=207, answer="too long", attempts=2), opened())
    store.flush()
    store.close()
    [message] = read(broker, "dead", 1)
    assert (message.key(), message.value()) == (RECORD.key, RECORD.value)
    headers = header_list(message)
    assert tuple(headers[:3]) == HEADERS
    ours = dict(headers[3:])
    assert ours.pop("cio.version")
    assert ours == {
        "cio.topic": b"events",
        "cio.partition": b"3",
        "cio.offset": b"41",
        "cio.timestamp_ms": b"1673480413000",
        "cio.reason": b"rejected",
        "cio.text": b"refused",
        "cio.rule": b"order",
        "cio.call": b"order/track:order_placed#1[sku-7]",
        "cio.source": b'["order","track","order_placed",1,"sku-7"]',
        "cio.element": b"sku-7",
        "cio.field": b"name",
        "cio.status": b"207",
        "cio.answer": b"too long",
        "cio.attempts": b"2",
        "cio.first_seen_ms": b"1773480414000",
    }
    assert message.timestamp()[1] >= int(before * 1000), "retention would count from the original's time"


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff"])
def test_the_value_is_kept_byte_for_byte(broker: EmbeddedBrokerProcess, value: bytes | None) -> None:
    store = store_on(broker)
    store.write(entry(Record("events", 0, 0, None, value)), opened())
    store.flush()
    [message] = read(broker, "dead", 1)
    assert (message.key(), message.value()) == (None, value)
    store.close()


def test_a_broker_that_is_away_makes_nothing_safe_and_the_entry_arrives_once_it_is_back(
    broker: EmbeddedBrokerProcess,
) -> None:
    store, record = store_on(broker, flush_timeout_s=0.5), opened()
    broker.set_down()
    store.write(entry(), record)
    for _ in range(2):
        with pytest.raises(DeadLettersUnavailableError, match=r"did not acknowledge within 0\.5 s"):
            store.flush()
    broker.set_up()
    deadline = time.monotonic() + DEADLINE_S
    safe: list[OpenRecord] = []
    while not safe and time.monotonic() < deadline:
        try:
            safe += store.flush()
        except DeadLettersUnavailableError:
            continue
    assert safe == [record]
    assert len(read(broker, "dead", 1)) == 1
    store.close()


def test_an_entry_that_the_broker_refused_is_written_by_the_next_flush(broker: EmbeddedBrokerProcess) -> None:
    store, record = store_on(broker), opened()
    broker.push_errors(ApiKey.PRODUCE, [KafkaError.POLICY_VIOLATION])
    store.write(entry(), record)
    with pytest.raises(DeadLettersUnavailableError, match="POLICY_VIOLATION"):
        store.flush()
    assert list(store.flush()) == [record]
    store.close()


def test_closing_does_not_wait_for_a_broker_that_is_away(broker: EmbeddedBrokerProcess) -> None:
    store = store_on(broker, flush_timeout_s=0.5)
    broker.set_down()
    store.write(entry(), opened())
    with pytest.raises(DeadLettersUnavailableError):
        store.flush()
    store.close()


@pytest.mark.kafka
def test_an_entry_too_large_for_the_topic_becomes_a_pointer_and_its_bytes_overflow(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    topic = f"dead-{uuid.uuid4().hex[:8]}"
    apache_kafka.create_topic(topic, 1, max_message_bytes="2000")
    store = store_on(apache_kafka, topic, FileDeadLetters(tmp_path / "overflow.jsonl"))
    # Random, since the producer compresses.
    value = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(200))
    large, small = opened(), opened()
    store.write(entry(Record("events", 1, 2, b"key", value)), large)
    store.write(entry(), small)  # in the same batch, which is refused as a whole
    safe: list[OpenRecord] = []
    while len(safe) < 2:
        safe += store.flush()
    store.close()
    assert set(map(id, safe)) == {id(large), id(small)}
    messages = {headers_of(m)["cio.offset"]: m for m in read(apache_kafka, topic, 2)}
    pointer = messages[b"2"]
    assert (pointer.key(), pointer.value()) == (b"key", b"")
    assert headers_of(pointer)["cio.omitted"] == b"true"
    assert headers_of(pointer)["cio.value_bytes"] == b"%d" % len(value)
    assert headers_of(pointer)["cio.value_sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert messages[b"41"].value() == RECORD.value
    [line] = (tmp_path / "overflow.jsonl").read_text().splitlines()
    assert json.loads(line)["offset"] == 2


@pytest.mark.kafka
@pytest.mark.parametrize("long", ["answer", "text", "field", "name", "element", "rule"])
def test_an_entry_with_a_long_text_becomes_a_pointer_too_and_overflows_whole(
    apache_kafka: ApacheKafka, tmp_path: Path, long: str
) -> None:
    topic = f"dead-{uuid.uuid4().hex[:8]}"
    apache_kafka.create_topic(topic, 1, max_message_bytes="3000")
    store = store_on(apache_kafka, topic, FileDeadLetters(tmp_path / "overflow.jsonl"))
    words = "".join(hashlib.sha256(b"%d" % n).hexdigest() for n in range(200))
    source = CallSource("rule", CallKind.TRACK, "name", 0, "element")
    value: dict[str, Any] = {long: words}
    is_of_source = long in CallSource._fields
    large = replace(entry(source=source), **({"source": source._replace(**value)} if is_of_source else value))
    store.write(large, opened())
    assert len(store.flush()) == 1
    store.close()
    [pointer] = read(apache_kafka, topic, 1)
    assert headers_of(pointer)["cio.omitted"] == b"true"
    [line] = (tmp_path / "overflow.jsonl").read_bytes().splitlines()
    assert from_line(line) == large


@pytest.mark.kafka
def test_a_topic_that_does_not_exist_is_named(apache_kafka: ApacheKafka) -> None:
    with pytest.raises(ConfigurationError, match="the dead-letter topic absent does not exist"):
        store_on(apache_kafka, "absent")


def test_a_property_that_would_make_entries_less_safe_is_refused() -> None:
    options = DeadLetterTopicOptions(bootstrap_servers="127.0.0.1:1", topic="dead", properties={"acks": "1"})
    with pytest.raises(ConfigurationError, match="acks may not be set"):
        KafkaDeadLetters(options)
