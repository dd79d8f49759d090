"""A pipeline that has left dead letters behind: a real run, before the tests of what is done about them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self

import orjson
import yaml
from confluent_kafka import Producer

from pipeline.kafka.progress import group_progress
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxQuestions

START_MS = 1_790_000_000_000
_MAIN = "from pipeline.cli import main; main()"
_topics = count(1)


class Stage:
    """A topic, a mapping, a sandbox and what a pipeline made of them, in a folder."""

    def __init__(
        self,
        broker: EmbeddedBrokerProcess | ApacheKafka,
        sandbox: SandboxQuestions,
        base_url: str,
        folder: Path,
        topic: str | None = None,
        dead_letter_topic: str | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.topic = topic or f"dead-letters-{next(_topics)}"
        self.group = f"group-{next(_topics)}"
        self.letters = folder / "dead-letters.jsonl"
        self._broker = broker
        self._base_url = base_url
        self._mapping = folder / "mapping.yaml"
        if topic is None:
            broker.create_topic(self.topic, 1)
        if dead_letter_topic is not None:
            broker.create_topic(dead_letter_topic, 3)
        self.configuration = write_configuration(
            folder,
            bootstrap_servers=broker.bootstrap_servers,
            topic=self.topic,
            base_url=base_url,
            group=self.group,
            mapping={"files": [str(self._mapping)]},
            delivery={"commit_interval_seconds": 0.2},
            # Most records of these tests fail, which is not what the limit is about.
            deadletters={"limit_share": None, "topic": dead_letter_topic},
        )

    def copy(self, folder: Path) -> Self:
        """Return another pipeline on the same topic, in a folder of its own, with the same dead letters."""
        shutil.copy(self.letters, folder)
        shutil.copy(self._mapping, folder)
        return type(self)(self._broker, self.sandbox, self._base_url, folder, self.topic)

    def map(self, *rules: dict[str, Any]) -> None:
        """Write the mapping: these rules, about the person in `user`."""
        document = {"version": 1, "defaults": {"id": "${user}", "timestamp": "${at}"}, "rules": list(rules)}
        self._mapping.write_text(yaml.safe_dump(document, sort_keys=False))

    def write(self, *values: dict[str, Any] | bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Write events to the topic, keyed by their person."""
        producer = Producer(
            {
                "bootstrap.servers": self._broker.bootstrap_servers,
                "enable.idempotence": True,
                "message.max.bytes": 4_000_000,  # the topic decides
            }
        )
        for number, value in enumerate(values):
            data = value if isinstance(value, bytes) else orjson.dumps(value)
            key = None if isinstance(value, bytes) else str(value.get("user", "")).encode()
            producer.produce(
                self.topic, data, key, timestamp=START_MS + number, headers=list(headers), partition=0
            )
        assert producer.flush(30) == 0

    def run(self) -> None:
        """Run the pipeline until everything in the topic is settled."""
        with self.running() as pipeline:
            pipeline.wait_until(self.is_drained, "drained")
            pipeline.stop()

    def running(self) -> PipelineProcess:
        """Start the pipeline."""
        return PipelineProcess(self.configuration)

    def is_drained(self) -> bool:
        """Tell whether everything in the topic is settled."""
        progress = group_progress(self._broker.bootstrap_servers, self.group, self.topic)
        return all(each.committed == each.end for each in progress)

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start `cio-pipeline deadletters ...`."""
        return subprocess.Popen(
            [sys.executable, "-c", _MAIN, "deadletters", *arguments, "--config", str(self.configuration)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def command(self, *arguments: str, status: int = 0, **environment: str) -> str:
        """Run `cio-pipeline deadletters ...` to its end and return what it says; its status must be this one."""
        with self.start(*arguments, **environment) as process:
            output, errors = process.communicate(timeout=60)
        assert process.returncode == status, f"{process.returncode}: {output}{errors}"
        return output + errors
