"""The proof of replay on Apache Kafka: ranges as a naive reader reads them, kills, the live group's commits.

With CIO_TEST=all there are 20,000 records in compacted topics, otherwise a few thousand and no compaction, for which
the broker takes its time; CIO_REPLAY_RECORDS=200000 asks for the whole proof.
"""

import os
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.records import Record
from tests.kafka.replay.large_topic import (
    COMPACTED,
    PARTITIONS,
    TRANSACTIONS,
    is_full_of_holes,
    read_naively,
    read_when_compacted,
    write_story,
)
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.pipeline import wait_until, write_configuration
from tests.servers.replay import Done, replay, start_replay
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import Expected, calls_in_order, expectations

pytestmark = pytest.mark.kafka

IS_LARGE = os.environ.get("CIO_TEST") == "all" or "CIO_REPLAY_RECORDS" in os.environ
RECORDS = int(os.environ.get("CIO_REPLAY_RECORDS") or (20_000 if IS_LARGE else 3_000))
RATE = str(max(12, RECORDS // 250))
"""Requests a second at which there is time to kill a replay."""
ALL = ("--allow-irreversible", "--include-erased", "--allow-campaigns")


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    kafka: ApacheKafka
    sandbox: SandboxProcess
    configuration: Path
    records: Sequence[Record]

    def replay(self, *arguments: str) -> Done:
        return replay(self.configuration, *arguments)

    def offset_at(self, partition: int, part: float) -> int:
        """An offset in the middle that a record has, or that a hole has."""
        offsets = [record.offset for record in self.records if record.partition == partition]
        return int(max(offsets) * part)

    def check(self, expected: Expected) -> None:
        """Each person's calls are those expected, in their order, however often they came."""
        assert expected.event_ids, "the range is too small to prove anything"
        assert set(self.sandbox.event_ids()) == expected.event_ids, "an event was lost or invented"
        assert self.sandbox.counts()["events_counted"] == len(expected.event_ids)
        arrived = calls_in_order(self.sandbox.arrivals())
        assert arrived == {who: list(dict.fromkeys(calls)) for who, calls in expected.calls_of.items()}

    def check_once(self, done: Done, expected: Expected) -> None:
        """The replay was not interrupted: nothing came twice, and the summary counts what happened."""
        assert done.status == 0, done.errors
        self.check(expected)
        assert sum(self.sandbox.counts()["calls"].values()) == expected.calls
        assert done.document["dead_letters"] == dict(Counter(expected.dead_letters.values()))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def make_topic(
    kafka: ApacheKafka, sandbox: SandboxProcess, folder: Path, start_ms: int, **config: str
) -> Topic:
    name = f"replayed-{uuid.uuid4().hex[:8]}"
    kafka.create_topic(name, PARTITIONS, **config, **(COMPACTED if IS_LARGE else {}))
    write_story(kafka, name, RECORDS, start_ms)
    configuration = write_configuration(
        folder,
        bootstrap_servers=kafka.bootstrap_servers,
        topic=name,
        base_url=sandbox.base_url,
        group=name,
        delivery={"commit_interval_seconds": 0.2, "batch_max_items": 50},
    )
    records = read_when_compacted(kafka, name) if IS_LARGE else read_naively(kafka, name)
    return Topic(name, kafka, sandbox, configuration, records)


@pytest.fixture(scope="module")
def created(
    apache_kafka: ApacheKafka, sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Topic:
    """A topic whose producers set the times."""
    folder = tmp_path_factory.mktemp("created")
    start_ms = int(time.time() * 1000) - 20 * 86_400_000
    return make_topic(apache_kafka, sandbox, folder, start_ms)


@pytest.fixture
def topic(created: Topic) -> Topic:
    created.sandbox.reset()
    return created


@pytest.mark.full
@pytest.mark.skipif(not IS_LARGE, reason="only large topics are compacted")
def test_the_topic_has_holes_of_compaction_and_of_aborted_transactions(topic: Topic) -> None:
    for partition in range(PARTITIONS):
        offsets = [record.offset for record in topic.records if record.partition == partition]
        assert is_full_of_holes(topic.records, partition)
        longest = max(later - before for before, later in pairwise(offsets))
        assert longest >= RECORDS / TRANSACTIONS / PARTITIONS / 2, "an aborted transaction"


def iso(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat()


def test_a_middle_range_by_offsets_is_what_a_naive_reader_reads(topic: Topic) -> None:
    starts = {p: topic.offset_at(p, 0.3) for p in range(PARTITIONS)}
    ends = {p: topic.offset_at(p, 0.7) for p in range(PARTITIONS)}
    bounds = [f"--from={p}:{at}" for p, at in starts.items()] + [
        f"--until={p}:{at}" for p, at in ends.items()
    ]
    done = topic.replay("--name", "by-offsets", *bounds, *ALL)
    middle = [r for r in topic.records if starts[r.partition] <= r.offset < ends[r.partition]]
    topic.check_once(done, expectations(middle))
    assert done.document["records"] == len(middle)


def test_a_middle_range_by_time_is_what_a_naive_reader_reads(topic: Topic) -> None:
    times = sorted(r.timestamp_ms or 0 for r in topic.records)
    since, before = times[len(times) // 3], times[len(times) // 2]
    done = topic.replay("--name", "by-time", "--from", iso(since), "--until", iso(before), *ALL)
    middle = [r for r in topic.records if since <= (r.timestamp_ms or 0) < before]
    topic.check_once(done, expectations(middle))
    assert done.document["records"] == len(middle)


@pytest.mark.full
def test_times_of_the_log_itself_work_too(
    apache_kafka: ApacheKafka, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    sandbox.reset()
    now_ms = int(time.time() * 1000)
    topic = make_topic(
        apache_kafka,
        sandbox,
        tmp_path,
        now_ms - 20 * 86_400_000,
        message_timestamp_type="LogAppendTime",
        segment_ms="300",
    )
    times = sorted({r.timestamp_ms or 0 for r in topic.records})
    assert times[0] >= now_ms, "the broker set the times"
    since, before = times[len(times) // 3], times[2 * len(times) // 3]
    done = topic.replay("--from", iso(since), "--until", iso(before), *ALL)
    topic.check_once(
        done, expectations([r for r in topic.records if since <= (r.timestamp_ms or 0) < before])
    )


def test_the_end_is_passed_although_control_records_stand_there(topic: Topic) -> None:
    done = topic.replay("--name", "to-the-end", "--from", "earliest", *ALL)
    assert done.status == 0, done.errors
    assert done.document["finished"] is True
    assert done.document["records"] == len(topic.records)
    again = topic.replay("--name", "to-the-end", "--from", "earliest", *ALL)
    assert "is finished" in again.errors


def commits_of(kafka: ApacheKafka, group: str) -> list[tuple[Any, ...]]:
    asked = [ConsumerGroupTopicPartitions(group)]
    found = kafka.admin.list_consumer_group_offsets(asked)[group].result(30).topic_partitions
    return sorted((p.topic, p.partition, p.offset, p.metadata, p.leader_epoch) for p in found)


def test_three_kills_lose_nothing_and_leave_the_live_group_alone(topic: Topic) -> None:
    live = Consumer({"bootstrap.servers": topic.kafka.bootstrap_servers, "group.id": topic.name})
    live.commit(
        offsets=[KafkaPartition(topic.name, p, 5, "mine") for p in range(PARTITIONS)], asynchronous=False
    )
    live.close()
    before = commits_of(topic.kafka, topic.name)
    assert len(before) == PARTITIONS
    arguments = ("--name", "killed", "--from", "earliest", "--rate", RATE, *ALL)
    expected = expectations(topic.records)
    for part in (0.15, 0.4, 0.7):
        moment = part * expected.calls
        process = start_replay(topic.configuration, *arguments)
        try:
            wait_for_arrivals(topic, moment, process)
        finally:
            process.kill()
            process.communicate()
    last = topic.replay(*arguments[:-4], "1000", *ALL)
    assert last.status == 0, last.errors
    assert last.document["records"] < len(topic.records), "it went on where it was"
    topic.check(expected)
    assert commits_of(topic.kafka, topic.name) == before


def wait_for_arrivals(topic: Topic, calls: float, process: subprocess.Popen[str]) -> None:
    def reached() -> bool:
        assert process.poll() is None, process.communicate()
        return bool(sum(topic.sandbox.counts()["calls"].values()) >= calls)

    wait_until(reached, f"{calls:.0f} calls arrived", 300)


def test_the_names_are_listed_with_their_progress(topic: Topic) -> None:
    assert topic.replay("--name", "listed", "--from", "0:0", "--partitions", "0", *ALL).status == 0
    done = topic.replay("list")
    assert done.status == 0, done.errors
    (row,) = [row for row in done.document["replays"] if row["name"] == "listed"]
    assert row["state"] == "finished"
    assert row["partitions"][0]["position"] == row["partitions"][0]["end"]
