"""Changed rules in a running pipeline: a real process, a real broker, real files."""

import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from pipeline.kafka.writer import TopicWriter
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess

RULES = """\
version: 1
defaults: {{id: "${{id}}", timestamp: 1773480413}}
rules:
  - name: seen
    track: {{name: {name}}}
tests:
  - {{name: one track, event: {{id: u1}}, expect: [{{call: track, id: u1, name: {expected}, timestamp: 1773480413}}]}}
"""
_topics = count(1)


class Stage:
    """A pipeline whose mapping file can be rewritten."""

    def __init__(self, broker: EmbeddedBrokerProcess, folder: Path, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.mapping = folder / "rules.yaml"
        self.topic = f"reload-{next(_topics)}"
        broker.create_topic(self.topic, 1)
        self.writer = TopicWriter(broker.bootstrap_servers, self.topic)
        self.configuration = write_configuration(
            folder,
            bootstrap_servers=broker.bootstrap_servers,
            topic=self.topic,
            base_url=sandbox.base_url,
            mapping={"files": [str(self.mapping)]},
        )

    def write_rules(self, name: str, expected: str | None = None) -> None:
        self.mapping.write_text(RULES.format(name=name, expected=expected or name))

    def send(self) -> None:
        self.writer.write(None, b'{"id": "u1"}', 1_773_480_413_000)
        self.writer.flush()

    def names(self) -> list[str]:
        return [arrival["name"] for arrival in self.sandbox.arrivals()]


@pytest.fixture
def stage(embedded_broker: EmbeddedBrokerProcess, tmp_path: Path) -> Iterator[Stage]:
    with SandboxProcess() as sandbox:
        yield Stage(embedded_broker, tmp_path, sandbox)


def start(stage: Stage, *arguments: str) -> PipelineProcess:
    return PipelineProcess(stage.configuration, *arguments)


def test_changed_rules_take_effect_and_bad_ones_change_nothing(stage: Stage) -> None:
    stage.write_rules("first")
    stage.send()
    with start(stage, "--watch") as pipeline:
        pipeline.wait_until(lambda: stage.names() == ["first"], "the first call")
        stage.write_rules("second")
        pipeline.wait_until(lambda: pipeline.logged("mapping_loaded"), "the new rules loaded")
        stage.send()
        pipeline.wait_until(lambda: stage.names() == ["first", "second"], "a call of the new rules")
        stage.write_rules("third", expected="something else")
        pipeline.wait_until(lambda: pipeline.logged("mapping_refused"), "the failing rules refused")
        stage.send()
        pipeline.wait_until(lambda: stage.names() == ["first", "second", "second"], "a call of the old rules")
        (refused,) = (line for line in pipeline.logs if line["event"] == "mapping_refused")
        assert "rules.yaml:7" in " ".join(refused["problems"])
        assert 'mapping_reloads_total{result="refused"} 1.0' in pipeline.get("/metrics").text
        mapping = pipeline.status()["mapping"]
        assert mapping["rules"] == 1
        assert mapping["last_reload"]["loaded"] is False
        assert "rules.yaml:7" in " ".join(mapping["last_reload"]["problems"])
        assert pipeline.stop() == 143


def test_a_hangup_loads_the_rules_again(stage: Stage) -> None:
    stage.write_rules("first")
    with start(stage) as pipeline:
        pipeline.wait_until(lambda: pipeline.logged("started"), "started")
        stage.write_rules("second")
        pipeline.process.send_signal(signal.SIGHUP)
        pipeline.wait_until(lambda: pipeline.logged("mapping_loaded"), "the new rules loaded")
        stage.send()
        pipeline.wait_until(lambda: stage.names() == ["second"], "a call of the new rules")


def test_rules_whose_tests_fail_do_not_start(stage: Stage) -> None:
    stage.write_rules("first", expected="something else")
    with start(stage) as pipeline:
        assert pipeline.process.wait(30) == 2
        assert "rules.yaml:7" in pipeline.output
        assert "Traceback" not in pipeline.output
