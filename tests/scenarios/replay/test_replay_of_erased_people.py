"""Whom a replay leaves out although neither its rules nor its topic tell of the deletion."""

import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from pipeline.calls import CallKind, IdentityKind
from pipeline.kafka.replay_lookup import TopicLookup
from pipeline.receipts.receipt import Receipt, to_line
from pipeline.records import Position
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import write_configuration
from tests.servers.replay import Done, replay
from tests.servers.sandbox import SandboxThread

PROFILES = """
version: 1
rules:
  - name: person
    when: kind == 'person'
    identify: {id: "${who}", timestamp: "${`1700000000`}", attributes: {plan: pro}}
"""
PRIVACY = """
version: 1
rules:
  - {name: gone, when: kind == 'gone', destroy: {id: "${who}"}}
"""
_topics = count(1)


class Stage:
    """Topics of one partition, the mapping files of the live pipeline, and a replay of the first topic."""

    def __init__(self, broker: EmbeddedBrokerProcess, sandbox: SandboxThread, folder: Path) -> None:
        self._broker, self._sandbox, self.folder = broker, sandbox, folder
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        self.now = time.time()
        self.profiles = self.write("profiles.yaml", PROFILES)
        self.privacy = self.write("privacy.yaml", PRIVACY)
        self.topic = self.create_topic()
        sandbox.reset()

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def create_topic(self) -> str:
        topic = f"erased-{next(_topics)}"
        self._broker.create_topic(topic, 1)
        return topic

    def add(self, kind: str, who: str, *, topic: str | None = None, hours_ago: float = 0.0) -> None:
        value = orjson.dumps({"kind": kind, "who": who})
        written_ms = int((self.now - hours_ago * 3_600) * 1000)
        self._producer.produce(topic or self.topic, value, who, partition=0, timestamp=written_ms)
        assert self._producer.flush(10) == 0

    def replay(self, *arguments: str, files: list[str], **sections: Mapping[str, Any]) -> Done:
        """Replay everything beside a live pipeline with these mapping files and settings."""
        configuration = write_configuration(
            self.folder,
            bootstrap_servers=self._broker.bootstrap_servers,
            topic=self.topic,
            base_url=self._sandbox.base_url,
            group="test-group",
            mapping={"files": files},
            **sections,
        )
        return replay(configuration, "--topic", self.topic, "--from", "earliest", *arguments)

    def identified(self) -> list[str]:
        return [each["person"].removeprefix("id:") for each in self._sandbox.arrivals()]


@pytest.fixture
def stage(embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path) -> Stage:
    return Stage(embedded_broker, sandbox, tmp_path)


def test_a_person_whom_only_a_live_rule_erases_is_left_out(stage: Stage) -> None:
    """The replay is given the corrected file alone; the rule that deletes stands in another of the live ones."""
    for kind, who in (("person", "u"), ("gone", "u"), ("person", "v")):
        stage.add(kind, who)
    live = [stage.profiles, stage.privacy]
    done = stage.replay("--mapping", stage.profiles, files=live)
    assert done.status == 0, done.errors
    assert stage.identified() == ["v"]
    assert done.document["left_out"] == {"erased_later": 1}
    everybody = ("--include-erased", "--name", "everybody")
    assert stage.replay("--mapping", stage.profiles, *everybody, files=live).status == 0
    assert stage.identified() == ["v", "u", "v"]


def test_live_rules_that_cannot_be_used_stop_a_replay_unless_the_erased_are_included(stage: Stage) -> None:
    live = [stage.write("live.yaml", "version: 1\nrules: [{name: broken}]\n")]
    stage.add("person", "u")
    done = stage.replay("--mapping", stage.profiles, files=live)
    assert done.status == 2
    assert "live.yaml" in done.errors
    assert "the live rules tell who was erased; --include-erased does without them" in done.errors
    assert stage.identified() == []
    assert stage.replay("--mapping", stage.profiles, "--include-erased", files=live).status == 0
    assert stage.identified() == ["u"]


def test_a_person_of_whose_deletion_only_a_receipt_is_left_is_left_out(stage: Stage) -> None:
    """The deletion came through a topic that is gone, and no rule deletes any more."""
    place, accepted_ms = Position("gone", 0, 0), int((stage.now - 3_600) * 1000)
    receipt = Receipt(
        CallKind.DESTROY, IdentityKind.ID, "u", False, place, "gone", accepted_ms, "http://x", 200
    )
    (stage.folder / "receipts.jsonl").write_bytes(to_line(receipt))
    stage.add("person", "u", hours_ago=2)
    stage.add("person", "v", hours_ago=2)
    stage.add("person", "u", hours_ago=0)
    receipts = {"file": str(stage.folder / "receipts.jsonl")}
    done = stage.replay(files=[stage.profiles], receipts=receipts)
    assert done.status == 0, done.errors
    assert stage.identified() == ["v", "u"]
    assert done.document["left_out"] == {"erased_later": 1}


@pytest.mark.parametrize("pattern", [False, True], ids=["names", "pattern"])
def test_a_person_erased_in_another_topic_that_the_live_pipeline_reads_is_left_out(
    stage: Stage, pattern: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The embedded broker cannot look a time up: it says that nothing is as new.
    monkeypatch.setattr(TopicLookup, "offset_at", lambda *_: 0)
    privacy = stage.create_topic()
    stage.add("person", "u", hours_ago=2)
    stage.add("person", "v", hours_ago=2)
    stage.add("gone", "u", topic=privacy, hours_ago=1)
    topics = [f"^({stage.topic}|{privacy})$"] if pattern else [stage.topic, privacy]
    done = stage.replay(files=[stage.profiles, stage.privacy], kafka={"topics": topics})
    assert done.status == 0, done.errors
    assert stage.identified() == ["v"]
    assert done.document["left_out"] == {"erased_later": 1}
