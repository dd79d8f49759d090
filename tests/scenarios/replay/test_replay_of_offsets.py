"""Replay on the embedded broker: ranges by offset, progress under a name, and what it refuses."""

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_progress import KeptReplay, ProgressStore, group_of
from pipeline.records import Record, TopicPartition
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import write_configuration
from tests.servers.replay import Done, replay
from tests.servers.sandbox import SandboxThread
from tests.servers.shop_topic import expectations, write_shop

RECORDS = 1_200
PARTITIONS = 3
NO_PARTITIONS = ("x", "", "2-1", "0,", "²", "0-9999999999")
_names = count(1)


class Shop:
    """A topic with a shop's records, the pipeline that reads it and the sandbox that it sends to."""

    def __init__(self, broker: EmbeddedBrokerProcess, sandbox: SandboxThread, folder: Path) -> None:
        self.topic = "replayed-shop"
        self.sandbox = sandbox
        self._broker = broker
        broker.create_topic(self.topic, PARTITIONS)
        self.records = write_shop(
            broker.bootstrap_servers, self.topic, RECORDS, people=60, partitions=PARTITIONS
        )
        self.configuration = write_configuration(
            folder, bootstrap_servers=broker.bootstrap_servers, topic=self.topic, base_url=sandbox.base_url
        )

    def replay(self, *arguments: str) -> Done:
        return replay(self.configuration, *arguments)

    def kept(self, name: str) -> KeptReplay | None:
        """What the broker keeps under a name."""
        options = KafkaOptions(
            bootstrap_servers=self._broker.bootstrap_servers, topics=(), group_id=group_of("test-group", name)
        )
        with closing(ProgressStore(options, time.time)) as store:
            return store.load([TopicPartition(self.topic, number) for number in range(PARTITIONS)])

    def between(self, partition: int, start: int, end: int) -> list[Record]:
        return [r for r in self.records if r.partition == partition and start <= r.offset < end]

    def end_of(self, partition: int) -> int:
        return 1 + max(r.offset for r in self.records if r.partition == partition)


@pytest.fixture(scope="module")
def open_shop(
    embedded_broker: EmbeddedBrokerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    with SandboxThread() as sandbox:
        yield Shop(embedded_broker, sandbox, tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(open_shop: Shop) -> Shop:
    open_shop.sandbox.reset()
    return open_shop


@pytest.fixture
def name() -> str:
    return f"replay-{next(_names)}"


ALL = ("--allow-irreversible", "--include-erased", "--allow-campaigns")


def test_everything_from_the_earliest_record_is_sent_as_the_live_pipeline_would(
    shop: Shop, name: str
) -> None:
    done = shop.replay("--from", "earliest", "--name", name, *ALL)
    assert done.status == 0, done.errors
    expected = expectations(shop.records)
    assert set(shop.sandbox.event_ids()) == expected.event_ids
    assert sum(shop.sandbox.counts()["calls"].values()) == expected.calls
    assert done.document["finished"] is True
    assert done.document["records"] == RECORDS
    assert sum(done.document["dead_letters"].values()) == len(expected.dead_letters)


def test_a_range_of_each_partition_is_sent_and_nothing_else(shop: Shop, name: str) -> None:
    done = shop.replay(
        "--name", name, "--from", "0:50", "--from", "1:100", "--until", "0:150", "--until", "1:120",
        "--partitions", "0-1", *ALL,
    )  # fmt: skip
    assert done.status == 0, done.errors
    expected = expectations([*shop.between(0, 50, 150), *shop.between(1, 100, 120)])
    assert set(shop.sandbox.event_ids()) == expected.event_ids
    assert sum(shop.sandbox.counts()["calls"].values()) == expected.calls


def test_the_chosen_offsets_are_shown_before_anything_is_sent(shop: Shop) -> None:
    done = shop.replay("--from", "0:50", "--until", "0:150", "--partitions", "0", "--dry-run")
    assert done.status == 0, done.errors
    assert f"{shop.topic}/0" in done.errors
    assert "50" in done.errors
    assert "150" in done.errors


def test_a_finished_replay_says_so_and_sends_nothing_more(shop: Shop, name: str) -> None:
    assert shop.replay("--from", "earliest", "--name", name, *ALL).status == 0
    kept = shop.kept(name)
    assert kept is not None
    assert kept.finished
    calls = shop.sandbox.counts()["calls"]
    again = shop.replay("--from", "earliest", "--name", name, *ALL)
    assert again.status == 0
    assert "is finished" in again.errors
    assert again.document["finished"] is True
    assert shop.sandbox.counts()["calls"] == calls


def test_a_finished_name_is_no_answer_to_another_range(shop: Shop, name: str) -> None:
    partition = ("--name", name, "--partitions", "0", *ALL)
    assert shop.replay("--from", "0:0", *partition, "--rules", "order").status == 0
    calls = shop.sandbox.counts()["calls"]
    for asked, complaint in (
        (("--from", "earliest", "--name", name, *ALL, "--rules", "order"), "was begun with other bounds"),
        (("--from", "0:0", *partition), "was begun with other choices"),
    ):
        done = shop.replay(*asked)
        assert done.status == 2, done.errors
        assert complaint in done.errors
    assert shop.sandbox.counts()["calls"] == calls


def test_restart_begins_again_and_counts_nothing_twice(shop: Shop, name: str) -> None:
    assert shop.replay("--from", "earliest", "--name", name, *ALL).status == 0
    again = shop.replay("--from", "earliest", "--name", name, "--restart", *ALL)
    assert again.status == 0, again.errors
    assert again.document["records"] == RECORDS
    expected = expectations(shop.records)
    assert shop.sandbox.counts()["events_counted"] == len(expected.event_ids)


def test_two_names_are_two_replays(shop: Shop, name: str) -> None:
    for each in (f"{name}-a", f"{name}-b"):
        done = shop.replay("--from", "0:0", "--partitions", "0", "--name", each, *ALL)
        assert done.status == 0, done.errors
        assert done.document["records"] == shop.end_of(0)
        assert done.document["name"] == each


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--from", "yesterday"), "is none of: an offset, a time"),
        (("--from", "2026-01-31T08:00:00"), "needs its zone"),
        (("--from", "0:999999", "--partitions", "0"), "is out of range; the partition holds offsets 0 to"),
        (("--from", "0:9", "--until", "0:5", "--partitions", "0"), "--from 9 is after --until 5"),
        (("--from", "now"), "the range is empty"),
        (
            ("--from", "0:5", "--until", "0:5", "--partitions", "0"),
            "the range is empty: replayed-shop/0 holds",
        ),
        (("--from", "2h", "--until", "3h"), "is after --until"),
        (("--from", "2999-01-01T00:00:00Z"), "has no record from 2999-01-01T00:00:00+00:00 on"),
        (("--from", "9:1"), "has no partition 9; it has 0 to 2"),
        (("--from", "0", "--from", "1:999999"), "replayed-shop/1: --from 999999 is out of range"),
        (("--from", "1:1"), "--from is given for partition 1, and partition 0 has none"),
        (("--from", "08:00"), "is none of: an offset, a time such as 2026-01-31T08:00:00Z"),
        (("--from", "earliest", "--partitions", "7"), "has no partition 7; it has 0 to 2"),
        *(
            (("--from", "earliest", "--partitions", text), "write numbers and ranges")
            for text in NO_PARTITIONS
        ),
        (("--partitions", ""), "--from is missing"),
        (("--from", "earliest", "--topic", "nothing-here"), "the topic nothing-here does not exist"),
        (("--from", "earliest", "--rules", "ordr"), "did you mean 'order'?"),
        (("--from", "earliest", "--older-than", "soon"), "is not a length of time"),
        (("--from", "earliest", "--people", "@nobody.txt"), "cannot read nobody.txt"),
        ((), "nothing is kept under the name"),
        (("--until", "now"), "--from is missing"),
        (("--from", "1h", "--dry-run", "--output", "x"), "Choose one of --dry-run"),
    ],
)
def test_bad_input_gets_one_clear_sentence(shop: Shop, arguments: tuple[str, ...], complaint: str) -> None:
    done = shop.replay(*arguments, "--name", "bad-input")
    assert done.status == 2, done.errors
    assert complaint in done.errors
    assert "Traceback" not in done.errors
    assert shop.kept("bad-input") is None, "nothing is kept of what never began"
    assert shop.sandbox.counts()["requests"] == 0
