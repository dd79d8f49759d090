"""Topics that are compacted, have large records, stamp records by themselves, or are made again: on Apache Kafka."""

import json
import time
import uuid
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from pipeline.calls import Reason
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.progress import group_progress
from pipeline.kafka.source import KafkaSource
from pipeline.records import Record, TopicPartition
from tests.chaos.accounting import dead_letters_in
from tests.contract.source_driving import Member, poll_until
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.pipeline import PipelineProcess, wait_until, write_configuration
from tests.servers.sandbox import SandboxProcess

pytestmark = [pytest.mark.kafka, pytest.mark.full]

DEADLINE_S = 90.0
START_MS = 1_790_000_000_000
MAPPING = """
version: 1
rules:
  - name: seen
    track: {id: '${kafka().key}', name: seen, attributes: {number: '${number}'}}
"""
_topics = count(1)


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def make_topic(broker: ApacheKafka, **config: str) -> str:
    topic = f"kind-{next(_topics)}"
    broker.create_topic(topic, 1, **config)
    return topic


def write(broker: ApacheKafka, topic: str, *records: tuple[bytes | None, object], at_s: int = 0) -> None:
    """Write keys with JSON values, in order, into partition 0; a value of None is a tombstone."""
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0, "message.max.bytes": 4_000_000}
    )
    for key, value in records:
        body = None if value is None else json.dumps(value).encode()
        producer.produce(topic, body, key, partition=0, timestamp=START_MS + at_s * 1_000)
    assert producer.flush(30) == 0


def read_all(broker: ApacheKafka, topic: str) -> list[Record]:
    """Read a topic from its beginning to its end, as a group of its own."""
    options = KafkaOptions(
        bootstrap_servers=broker.bootstrap_servers, topics=(topic,), group_id=uuid.uuid4().hex
    )
    member = Member(KafkaSource(options))
    [end] = broker.end_offsets(topic).values()
    poll_until(lambda: member.source.position(TopicPartition(topic, 0)) == end, member)
    member.source.close()
    return member.records


def configured(folder: Path, broker: ApacheKafka, sandbox: SandboxProcess, topic: str, **kafka: Any) -> Path:
    (folder / "rules.yaml").write_text(MAPPING)
    return write_configuration(
        folder,
        bootstrap_servers=broker.bootstrap_servers,
        topic=topic,
        base_url=sandbox.base_url,
        group=topic,
        mapping={"files": ["rules.yaml"]},
        kafka={"properties": {"topic.metadata.refresh.interval.ms": 500}, **kafka},
    )


def is_drained(broker: ApacheKafka, topic: str) -> bool:
    progress = group_progress(broker.bootstrap_servers, topic, topic)
    return bool(progress) and all(each.committed == each.end for each in progress)


def ulid_milliseconds(event_id: str) -> int:
    """The first ten characters hold the time in Crockford's base 32."""
    number = 0
    for character in event_id[:10]:
        number = 32 * number + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(character)
    return number


def numbers_seen(sandbox: SandboxProcess) -> list[int]:
    return [arrival["data"]["number"] for arrival in sandbox.arrivals()]


def test_the_gaps_of_a_compacted_topic_are_passed_and_its_end_is_committed(
    apache_kafka: ApacheKafka, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    topic = make_topic(
        apache_kafka,
        cleanup_policy="compact",
        segment_ms="100",  # by the records' time: each round begins a segment
        min_cleanable_dirty_ratio="0.0",
        max_compaction_lag_ms="100",
    )
    write(apache_kafka, topic, (b"alone", {"number": 100}))
    for number in range(3):
        people = [(b"k%d" % person, {"number": 10 * number + person}) for person in range(5)]
        write(apache_kafka, topic, *people, at_s=60 * (number + 1))
    write(apache_kafka, topic, (b"k0", None), at_s=180)
    write(apache_kafka, topic, (b"last", {"number": 200}), at_s=240)  # what the newest segment replaces stays
    wait_until(lambda: len(read_all(apache_kafka, topic)) <= 7, "compacted", DEADLINE_S, 0.5)
    assert [record.offset for record in read_all(apache_kafka, topic)] == [0, 12, 13, 14, 15, 16, 17]

    with PipelineProcess(configured(tmp_path, apache_kafka, sandbox, topic)) as pipeline:
        pipeline.wait_until(lambda: is_drained(apache_kafka, topic), "drained", DEADLINE_S)
        assert pipeline.stop() == 143
    assert sorted(numbers_seen(sandbox)) == [21, 22, 23, 24, 100, 200]


def test_a_record_near_the_topics_limit_arrives_whole_and_is_kept_whole_when_it_fails(
    apache_kafka: ApacheKafka, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """It is larger than what the client fetches at once, and far larger than Customer.io takes."""
    topic = make_topic(apache_kafka, max_message_bytes="3000000")
    large = {"number": "x" * 2_990_000}
    write(apache_kafka, topic, (b"a", {"number": 1}), (b"a", large), (b"a", {"number": 2}))
    assert [len(record.value or b"") for record in read_all(apache_kafka, topic)] == [13, 2_990_014, 13]

    with PipelineProcess(configured(tmp_path, apache_kafka, sandbox, topic)) as pipeline:
        pipeline.wait_until(lambda: is_drained(apache_kafka, topic), "drained", DEADLINE_S)
        assert pipeline.stop() == 143
    assert numbers_seen(sandbox) == [1, 2]
    [letter] = dead_letters_in(tmp_path / "dead-letters.jsonl")
    assert letter.reason == Reason.TOO_LARGE
    assert json.loads(letter.record.value or b"") == large


def test_null_keys_and_null_values_are_records_like_others(
    apache_kafka: ApacheKafka, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    topic = make_topic(apache_kafka)
    write(apache_kafka, topic, (None, {"number": 1}), (b"a", None), (None, None), (b"b", {"number": 2}))
    keys_and_values = [(record.key, record.value) for record in read_all(apache_kafka, topic)]
    assert keys_and_values == [(None, b'{"number": 1}'), (b"a", None), (None, None), (b"b", b'{"number": 2}')]

    with PipelineProcess(configured(tmp_path, apache_kafka, sandbox, topic)) as pipeline:
        pipeline.wait_until(lambda: is_drained(apache_kafka, topic), "drained", DEADLINE_S)
        assert pipeline.stop() == 143
    assert numbers_seen(sandbox) == [2]
    [letter] = dead_letters_in(tmp_path / "dead-letters.jsonl")
    assert (letter.record.offset, letter.reason) == (0, Reason.NO_IDENTITY)


@pytest.mark.parametrize("kind", ["CreateTime", "LogAppendTime"])
def test_an_event_has_the_time_that_its_topic_gives_it(
    apache_kafka: ApacheKafka, sandbox: SandboxProcess, tmp_path: Path, kind: str
) -> None:
    topic = make_topic(apache_kafka, message_timestamp_type=kind)
    before_ms = int(time.time() * 1000)
    write(apache_kafka, topic, (b"a", {"number": 1}))
    [record] = read_all(apache_kafka, topic)
    assert record.timestamp_ms is not None
    if kind == "CreateTime":
        assert record.timestamp_ms == START_MS
    else:
        assert before_ms <= record.timestamp_ms <= time.time() * 1000

    with PipelineProcess(configured(tmp_path, apache_kafka, sandbox, topic)) as pipeline:
        pipeline.wait_until(lambda: is_drained(apache_kafka, topic), "drained", DEADLINE_S)
        assert pipeline.stop() == 143
    [arrival] = sandbox.arrivals()
    assert arrival["timestamp"] == record.timestamp_ms // 1000
    assert ulid_milliseconds(arrival["event_id"]) == record.timestamp_ms


def test_a_topic_that_is_made_again_under_a_pipeline_is_read_from_its_beginning_where_that_is_allowed(
    apache_kafka: ApacheKafka, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """Known bug 28: the old position lies beyond the end, and there is no reliable notice of the deletion."""
    topic = make_topic(apache_kafka)
    write(apache_kafka, topic, *((b"a", {"number": number}) for number in range(5)))
    configuration = configured(tmp_path, apache_kafka, sandbox, topic, out_of_range="earliest")
    with PipelineProcess(configuration) as pipeline:
        pipeline.wait_until(lambda: is_drained(apache_kafka, topic), "drained", DEADLINE_S)
        apache_kafka.delete_topic(topic)
        apache_kafka.create_topic(topic, 1)
        write(apache_kafka, topic, (b"b", {"number": 10}), (b"b", {"number": 11}))
        pipeline.wait_until(lambda: len(numbers_seen(sandbox)) == 7, "the new records", DEADLINE_S)
        pipeline.wait_until(lambda: is_drained(apache_kafka, topic), "committed", DEADLINE_S)
        pipeline.wait_until(pipeline.is_ready, "ready", DEADLINE_S)
        assert pipeline.stop() == 143
    assert numbers_seen(sandbox) == [0, 1, 2, 3, 4, 10, 11]
    assert sandbox.counts()["events_counted"] == 7, "an event of the new topic has an id of the old one"
