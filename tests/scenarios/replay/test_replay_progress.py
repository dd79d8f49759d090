"""Progress under a name: interruptions, owners, changed mappings, and brokers that forget or go away."""

import io
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from rich.console import Console

from pipeline.cli.assembly import open_translator
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.replay_session import Session
from pipeline.cli.replay_settings import replay_settings
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.entry import DeadLetter
from pipeline.errors import ConfigurationError
from pipeline.kafka.replay_progress import Mark, to_metadata
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.replay.resume import this_process
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import wait_until, write_configuration
from tests.servers.replay import Done, replay, start_replay
from tests.servers.sandbox import SandboxProcess

MAPPING = """
version: 1
rules:
  - {name: event, when: type == 'thing', track: {id: "${who}", name: thing, timestamp: 1000}}
"""
RECORDS = 60


class Interrupted:
    """A replay that is stopped with SIGTERM in the middle."""

    def __init__(self, broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, folder: Path) -> None:
        self.topic = f"interrupted-{uuid.uuid4().hex[:8]}"
        self.broker, self.sandbox = broker, sandbox
        broker.create_topic(self.topic, 2)
        self.mapping = folder / "mapping.yaml"
        self.mapping.write_text(MAPPING)
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        for number in range(RECORDS):
            producer.produce(
                self.topic, orjson.dumps({"type": "thing", "who": f"p{number}"}), partition=number % 2
            )
        assert producer.flush(10) == 0
        self.configuration = write_configuration(
            folder,
            bootstrap_servers=broker.bootstrap_servers,
            topic=self.topic,
            base_url=sandbox.base_url,
            mapping={"files": [str(self.mapping)]},
            delivery={"commit_interval_seconds": 0.1, "batch_max_items": 1, "drain_deadline_seconds": 1.0},
        )

    def stop_in_the_middle(self, number: signal.Signals = signal.SIGTERM) -> str:
        process = start_replay(self.configuration, "--from", "earliest", "--rate", "10")
        wait_until(lambda: self.arrived >= 5 or process.poll() is not None, "some calls arrived")
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        assert 0 < self.arrived < RECORDS, errors
        return errors

    @property
    def arrived(self) -> int:
        return sum(self.sandbox.counts()["calls"].values())

    def go_on(self, *arguments: str) -> Done:
        return replay(self.configuration, *arguments)

    def commit(self, mark: Mark, partitions: int = 2) -> None:
        """Write progress as another process would."""
        group = f"test-group.replay.{self.topic}"
        client = Consumer({"bootstrap.servers": self.broker.bootstrap_servers, "group.id": group})
        commits = [
            KafkaPartition(self.topic, number, 5, to_metadata(mark, ReplayRange(0, 30)))
            for number in range(partitions)
        ]
        client.commit(offsets=commits, asynchronous=False)
        client.close()


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


@pytest.fixture
def interrupted(
    embedded_broker: EmbeddedBrokerProcess, shared_sandbox: SandboxProcess, tmp_path: Path
) -> Interrupted:
    shared_sandbox.reset()
    return Interrupted(embedded_broker, shared_sandbox, tmp_path)


def mark(owner: str, age_s: float = 1.0) -> Mark:
    at_ms = int((time.time() - age_s) * 1000)
    return Mark("run", at_ms, owner, at_ms, "bounds", "options", "mapping", 2)


def test_a_stopped_replay_goes_on_where_it_was_when_it_is_asked_for_in_the_same_way(
    interrupted: Interrupted,
) -> None:
    errors = interrupted.stop_in_the_middle()
    assert "The same command goes on where it was" in errors
    other = interrupted.go_on("--from", "0:1", "--from", "1:1")
    assert other.status == 2
    assert "was begun with other bounds" in other.errors
    choices = interrupted.go_on("--allow-irreversible")
    assert choices.status == 2
    assert "was begun with other choices" in choices.errors
    interrupted.mapping.write_text(f"# a comment changes nothing\n{MAPPING}")
    done = interrupted.go_on("--from", "earliest")
    assert done.status == 0, done.errors
    assert "goes on where it was" in done.errors
    assert done.document["finished"] is True
    assert done.document["records"] < RECORDS
    assert interrupted.sandbox.counts()["events_counted"] == RECORDS


def test_after_a_kill_the_bounds_may_be_left_out_and_a_changed_mapping_must_be_accepted(
    interrupted: Interrupted,
) -> None:
    interrupted.stop_in_the_middle(signal.SIGKILL)
    interrupted.mapping.write_text(MAPPING.replace("name: thing", "name: other"))
    refused = interrupted.go_on()
    assert refused.status == 2
    assert "the mapping has changed" in refused.errors
    accepted = interrupted.go_on("--accept-mapping")
    assert accepted.status == 0, accepted.errors
    assert {each["name"] for each in interrupted.sandbox.arrivals()} == {"thing", "other"}


def test_a_name_in_use_is_refused_until_it_is_taken_over(interrupted: Interrupted) -> None:
    interrupted.commit(mark("elsewhere/1/2"))
    refused = interrupted.go_on("--from", "earliest")
    assert refused.status == 2
    assert "is running: elsewhere/1/2 showed a sign of life" in refused.errors
    taken = interrupted.go_on("--from", "earliest", "--restart", "--take-over")
    assert taken.status == 0, taken.errors


def test_who_begins_while_another_looks_ahead_is_not_overtaken(interrupted: Interrupted) -> None:
    begun: list[int] = []

    def another_begins() -> bool:
        """Asked while the records are counted."""
        if not begun:
            interrupted.commit(mark("elsewhere/1/2"))
            begun.append(1)
        return False

    arguments = ReplayArguments(path=interrupted.configuration, begin=("earliest",))
    settings = replay_settings(arguments)
    with open_translator(settings) as translator:
        session = Session(arguments, settings, translator, another_begins, Console(file=io.StringIO()))
        with pytest.raises(ConfigurationError, match="another process has begun to work"):
            session.run()
    assert begun
    assert interrupted.arrived == 0


def test_whether_it_begins_or_goes_on_is_said(interrupted: Interrupted) -> None:
    first = interrupted.go_on("--from", "0:0", "--until", "0:3", "--partitions", "0")
    assert f"nothing is kept under the name '{interrupted.topic}', so it begins" in first.errors
    again = interrupted.go_on("--from", "0:0", "--until", "0:3", "--partitions", "0", "--restart")
    assert f"'{interrupted.topic}' begins again" in again.errors


def test_an_owner_without_a_heartbeat_is_gone(interrupted: Interrupted) -> None:
    interrupted.commit(mark("elsewhere/1/2", age_s=3_600))
    assert interrupted.go_on("--from", "earliest", "--restart").status == 0


def test_an_owner_on_this_machine_that_has_ended_is_known_to_be_gone(interrupted: Interrupted) -> None:
    place = this_process().rpartition("/")[0]
    interrupted.commit(mark(f"{place}/{2**22 - 1}"))
    assert interrupted.go_on("--from", "earliest", "--restart").status == 0


def test_a_replay_that_was_taken_over_ends_and_says_so(interrupted: Interrupted) -> None:
    # Half a minute, so that a slow machine still finds it at work.
    process = start_replay(interrupted.configuration, "--from", "earliest", "--rate", "2")
    wait_until(lambda: interrupted.arrived >= 5 or process.poll() is not None, "some calls arrived")
    refused = interrupted.go_on("--from", "earliest")
    assert refused.status == 2, "a running replay is not disturbed"
    assert f"/{process.pid} showed a sign of life" in refused.errors
    interrupted.commit(mark("elsewhere/1/2"))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 4, errors
    assert "another process has taken this replay over" in errors


def test_what_the_brokers_have_forgotten_in_part_is_reported(interrupted: Interrupted) -> None:
    interrupted.commit(mark(""), partitions=1)
    done = interrupted.go_on("--from", "earliest")
    assert done.status == 2
    assert "the brokers have forgotten some of the progress" in done.errors
    assert "1 of 2 partitions are left" in done.errors


@pytest.mark.full
def test_brokers_that_go_away_for_good_end_it_and_it_can_go_on(
    embedded_broker: EmbeddedBrokerProcess, shared_sandbox: SandboxProcess, tmp_path: Path
) -> None:
    shared_sandbox.reset()
    with EmbeddedBrokerProcess() as broker:
        interrupted = Interrupted(broker, shared_sandbox, tmp_path)
        process = start_replay(
            interrupted.configuration,
            "--from",
            "earliest",
            "--rate",
            "10",
            CIO_PIPELINE__REPLAY__GIVE_UP_SECONDS="2",
        )
        wait_until(lambda: interrupted.arrived >= 5 or process.poll() is not None, "some calls arrived")
        broker.set_down()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1, errors
        assert "for 2 s now" in errors
        assert "Traceback" not in errors
        broker.set_up()
        done = interrupted.go_on()
        assert done.status == 0, done.errors
        assert shared_sandbox.counts()["events_counted"] == RECORDS


def test_dead_letters_say_which_replay_they_come_from(interrupted: Interrupted) -> None:
    interrupted.mapping.write_text(MAPPING.replace("${who}", "${abs(who)}"))
    settings = yaml.safe_load(interrupted.configuration.read_text())
    settings["deadletters"]["limit_share"] = None
    interrupted.configuration.write_text(yaml.safe_dump(settings))
    done = interrupted.go_on("--from", "earliest", "--name", "broken")
    assert done.status == 0, done.errors
    archive = Archive([interrupted.configuration.parent / "dead-letters.jsonl"])
    entries = [entry for _, entry in archive.scan() if isinstance(entry, DeadLetter)]
    archive.close()
    assert len(entries) == RECORDS
    assert {entry.replay for entry in entries} == {"broken"}


def test_a_mapping_that_fails_everywhere_ends_the_replay(interrupted: Interrupted) -> None:
    interrupted.mapping.write_text(MAPPING.replace("${who}", "${abs(who)}"))
    settings = yaml.safe_load(interrupted.configuration.read_text())
    settings["deadletters"]["limit_window_records"] = 20
    interrupted.configuration.write_text(yaml.safe_dump(settings))
    assert interrupted.go_on("--from", "earliest").status == 3
