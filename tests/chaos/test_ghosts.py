"""No ghost profile, from end to end: real processes, kill -9, a lost file of known people, and two workers."""

import json
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from confluent_kafka import Producer

from pipeline.kafka.progress import group_progress
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess

PARTITIONS, PEOPLE = 3, 60
RULES = {
    "version": 1,
    "defaults": {"id": "${user}"},
    "rules": [
        {"name": "profile", "when": "type == 'profile'", "identify": {"attributes": {"plan": "${plan}"}}},
        {"name": "event", "when": "type == 'event'", "track": {"name": "${name}"}},
    ],
}
_topics = count(1)


class Topic:
    """A topic of its own, its mapping, and one consumer group's configuration."""

    def __init__(
        self, broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, folder: Path, **people: Any
    ) -> None:
        self.name = f"ghosts-{next(_topics)}"
        self.folder = folder
        self._servers = broker.bootstrap_servers
        broker.create_topic(self.name, PARTITIONS)
        mapping = folder / "rules.yaml"
        mapping.write_text(yaml.safe_dump(RULES))
        self.configuration = write_configuration(
            folder,
            bootstrap_servers=self._servers,
            topic=self.name,
            base_url=sandbox.base_url,
            group=self.name,
            mapping={"files": [str(mapping)]},
            delivery={"commit_interval_seconds": 0.5},
            deadletters={"limit_share": None},
            timestamps={"future_tolerance_seconds": 0},
            people=people,
        )

    def write(self, *events: dict[str, Any]) -> None:
        producer = Producer({"bootstrap.servers": self._servers, "enable.idempotence": True})
        for event in events:
            producer.produce(self.name, orjson.dumps(event), key=event["user"].encode())
        assert producer.flush(30) == 0

    def is_drained(self) -> bool:
        progress = group_progress(self._servers, self.name, self.name)
        return all((each.committed or 0) == each.end for each in progress)

    def run(self, *arguments: str) -> None:
        with PipelineProcess(self.configuration, *arguments) as pipeline:
            pipeline.wait_until(self.is_drained, "drained", 120)
            assert pipeline.stop() == 128 + signal.SIGTERM

    def dead_letters(self) -> set[str]:
        lines = (self.folder / "dead-letters.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        assert {each["reason"] for each in found} <= {"not_identified"}
        return {orjson.loads(each["value"])["name"] for each in found}


def event(person: int, name: str) -> dict[str, Any]:
    return {"type": "event", "user": f"u{person}", "name": name}


def profile(person: int, plan: str = "free") -> dict[str, Any]:
    return {"type": "profile", "user": f"u{person}", "plan": plan}


def names_counted(sandbox: SandboxProcess) -> list[str]:
    by_id: dict[str, str] = {}
    for arrival in sandbox.arrivals():
        if arrival["kind"] == "track":
            by_id[arrival["event_id"]] = arrival["name"]
    return sorted(by_id.values())


@pytest.mark.full
def test_no_ghost_is_made_through_kills_a_lost_file_and_another_worker(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    with SandboxProcess() as sandbox:
        topic = Topic(embedded_broker, sandbox, tmp_path, unidentified="dead_letter")
        topic.write(*(event(person, f"ghost {person}") for person in range(2 * PEOPLE)))
        topic.write(*(profile(person) for person in range(PEOPLE)))
        topic.write(*(event(person, f"first {person}") for person in range(PEOPLE)))
        with PipelineProcess(topic.configuration) as pipeline:
            pipeline.wait_until(arrived(sandbox, 20), "the first calls", 60)
            pipeline.kill()
        topic.run()

        for file in tmp_path.glob("known-people.sqlite*"):
            file.unlink()
        topic.write(*(event(person, f"second {person}") for person in range(PEOPLE)))
        topic.write(*(event(person, f"late ghost {person}") for person in range(PEOPLE, 2 * PEOPLE)))
        topic.run()

        topic.write(*(event(person, f"third {person}") for person in range(2 * PEOPLE)))
        topic.run("--workers", "2")

        assert {person["id"] for person in sandbox.people()} == {f"u{person}" for person in range(PEOPLE)}
        assert names_counted(sandbox) == sorted(
            f"{which} {person}" for which in ("first", "second", "third") for person in range(PEOPLE)
        )
        ghosts = range(PEOPLE, 2 * PEOPLE)
        assert topic.dead_letters() == {
            *(f"ghost {person}" for person in range(2 * PEOPLE)),
            *(f"late ghost {person}" for person in ghosts),
            *(f"third {person}" for person in ghosts),
        }


def arrived(sandbox: SandboxProcess, calls: int) -> Callable[[], bool]:
    return lambda: sum(sandbox.counts()["calls"].values()) >= calls


@pytest.mark.full
def test_held_events_arrive_behind_their_identify_also_when_the_holder_is_killed(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    with SandboxProcess() as sandbox:
        topic = Topic(
            embedded_broker, sandbox, tmp_path, unidentified="hold_until_identified", hold_seconds=250
        )
        topic.write(*(event(person, f"early {person}") for person in range(PEOPLE)))
        with PipelineProcess(topic.configuration) as pipeline:
            pipeline.wait_until(lambda: pipeline.status()["waiting_calls"] == PEOPLE, "all are held", 60)
            assert sandbox.counts()["calls"] == {}
            pipeline.kill()
        topic.write(*(profile(person) for person in range(PEOPLE)))
        topic.run()
        kinds: dict[str, list[str]] = {}
        for arrival in sandbox.arrivals():
            kinds.setdefault(arrival["person"], []).append(arrival["kind"])
        assert kinds == {f"id:u{person}": ["identify", "track"] for person in range(PEOPLE)}


@pytest.mark.full
def test_unchanged_identifies_are_left_out_and_every_record_is_accounted_for(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    with SandboxProcess() as sandbox:
        topic = Topic(embedded_broker, sandbox, tmp_path, skip_unchanged=True)
        with PipelineProcess(topic.configuration) as pipeline:
            pipeline.wait_until(pipeline.is_ready, "ready")
            for plan in ("free", "free", "free", "pro", "pro"):
                topic.write(*(profile(person, plan) for person in range(PEOPLE)))
                pipeline.wait_until(topic.is_drained, "drained", 60)
            counts = pipeline.status()["counts"]
            metrics = pipeline.get("/metrics").text
            assert pipeline.stop() == 128 + signal.SIGTERM
        assert counts["settled"] == counts["records"] == 5 * PEOPLE
        identifies = sandbox.counts()["calls"]["identify"]
        assert identifies < 5 * PEOPLE
        assert (
            f'cio_pipeline_calls_left_out_total{{cause="unchanged"}} {5 * PEOPLE - identifies}.0' in metrics
        )
        assert {person["attributes"]["plan"] for person in sandbox.people()} == {"pro"}
