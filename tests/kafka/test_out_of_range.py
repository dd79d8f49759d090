"""Records that retention deleted before they were read: what each policy does, and that it is counted and logged."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka import Producer

from pipeline.kafka.progress import group_progress
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess

pytestmark = pytest.mark.full

MAPPING = """
version: 1
rules:
  - name: seen
    track: {id: ann, name: seen, attributes: {number: '${number}'}}
"""
PASSED_OVER = 'cio_pipeline_records_passed_over_total{partition="0",topic="%s"} %.1f'
_topics = count(1)


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


class Deleted:
    """A group that has read 3 of 10 records; then all below 8 were deleted."""

    def __init__(self, broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, folder: Path) -> None:
        self._servers = broker.bootstrap_servers
        self._folder, self._base_url = folder, sandbox.base_url
        self.topic = f"deleted-{next(_topics)}"
        broker.create_topic(self.topic, 1)
        (folder / "rules.yaml").write_text(MAPPING)
        self.write(*range(3))
        with self.pipeline("fail") as pipeline:
            pipeline.wait_until(self.is_drained, "drained")
            assert pipeline.stop() == 143
        self.write(*range(3, 10))
        broker.delete_records(self.topic, 0, 8)

    def write(self, *numbers: int) -> None:
        producer = Producer({"bootstrap.servers": self._servers})
        for number in numbers:
            producer.produce(self.topic, json.dumps({"number": number}).encode(), timestamp=1_790_000_000_000)
        assert producer.flush(10) == 0

    def pipeline(self, policy: str) -> PipelineProcess:
        configuration = write_configuration(
            self._folder,
            bootstrap_servers=self._servers,
            topic=self.topic,
            group=self.topic,
            base_url=self._base_url,
            mapping={"files": ["rules.yaml"]},
            kafka={"out_of_range": policy},
        )
        return PipelineProcess(configuration)

    def is_drained(self) -> bool:
        [progress] = group_progress(self._servers, self.topic, self.topic)
        return progress.committed == progress.end


@pytest.fixture
def deleted(embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, tmp_path: Path) -> Deleted:
    return Deleted(embedded_broker, sandbox, tmp_path)


def numbers_seen(sandbox: SandboxProcess) -> list[int]:
    return [arrival["data"]["number"] for arrival in sandbox.arrivals()]


@pytest.mark.parametrize(("policy", "passed_over", "read"), [("earliest", 5, [8, 9]), ("latest", 7, [])])
def test_what_is_passed_over_is_counted_and_logged(
    deleted: Deleted, sandbox: SandboxProcess, policy: str, passed_over: int, read: list[int]
) -> None:
    with deleted.pipeline(policy) as pipeline:
        pipeline.wait_until(
            lambda: PASSED_OVER % (deleted.topic, passed_over) in pipeline.get("/metrics").text, "counted"
        )
        deleted.write(10)
        pipeline.wait_until(lambda: 10 in numbers_seen(sandbox), "reading on")
        pipeline.wait_until(deleted.is_drained, "drained")
        [line] = [line for line in pipeline.logs if line["event"] == "offset_out_of_range"]
        assert (line["level"], line["expected"], line["records_skipped"]) == ("error", 3, passed_over)
        assert pipeline.stop() == 143
    assert numbers_seen(sandbox) == [0, 1, 2, *read, 10]


def test_unless_told_otherwise_it_stops_and_says_how_many_were_lost(
    deleted: Deleted, sandbox: SandboxProcess
) -> None:
    with deleted.pipeline("fail") as pipeline:
        assert pipeline.process.wait(60) == 4
        assert "5 records were deleted before they were read" in pipeline.output
    assert numbers_seen(sandbox) == [0, 1, 2]
