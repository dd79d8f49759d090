"""The stage of the demo: broker, sandbox, feeder and the real pipeline between them."""

import json
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import click
import httpx
from rich.console import Console

from pipeline.cli.assembly import Pipeline, open_pipeline
from pipeline.cli.garbage import collect_seldom
from pipeline.config import Settings
from pipeline.customerio.credentials import Credentials
from pipeline.demo.feeder import Feeder, history_start_ms
from pipeline.demo.progress import LiveProgress
from pipeline.demo.shop import shop_records
from pipeline.demo.summary import Summary
from pipeline.kafka.embedded import start_embedded_broker
from pipeline.kafka.progress import group_progress
from pipeline.kafka.writer import TopicWriter
from pipeline.operations.logs import configure_logs
from pipeline.presets_folder import presets_folder
from pipeline.sandbox import SandboxServer

PARTITIONS = 4
CREDENTIALS = Credentials("demo-site", "demo-key")
STALL_S = 60.0
"""Without any progress for so long the demo gives up and says what is missing."""


class Stage:
    """Everything the demo needs, from `with` to the end of the block.

    Raises:
        PipelineError: the broker cannot be reached.
    """

    def __init__(self, bootstrap_servers: str | None, events: int, seed: int) -> None:
        self._closing = ExitStack()
        self._events = events
        self._console = Console(stderr=True)
        self._folder = Path(self._closing.enter_context(TemporaryDirectory(prefix="cio-pipeline-demo-")))
        if bootstrap_servers is None:
            broker = start_embedded_broker()
            self._closing.callback(broker.close)
            self.bootstrap_servers, self.topic = broker.bootstrap_servers, "shop-events"
            broker.create_topic(self.topic, PARTITIONS)
            self._writer = TopicWriter(self.bootstrap_servers, self.topic)
        else:
            self.bootstrap_servers, self.topic = (
                bootstrap_servers,
                f"cio-pipeline-demo-{secrets.token_hex(4)}",
            )
            self._writer = TopicWriter(self.bootstrap_servers, self.topic)
            self._writer.create_topic(PARTITIONS)
        self._group = self.topic
        self._sandbox = self._closing.enter_context(SandboxServer(CREDENTIALS))
        self._pipeline = self._closing.enter_context(open_pipeline(self._settings()))
        records = shop_records(events, seed=seed, start_ms=history_start_ms(events))
        self._feeder = Feeder(self._writer, records, self._pipeline.tally.settled.total)
        self._closing.callback(self._feeder.stop)
        self._seconds = 0.0

    def play(self, stop: Callable[[], bool], *, quiet: bool, keep: bool) -> None:
        """Run until every record is settled, or until told to stop; with `keep` go on until told to stop.

        Raises:
            PipelineError: the records could not be written.
        """
        configure_logs("auto", "error")
        started = time.monotonic()
        self._feeder.start()
        progress = LiveProgress(self._console, self._pipeline, self._events, visible=not quiet)
        done = Finish(self._pipeline, self._feeder)

        def is_over() -> bool:
            if stop():
                return True
            if done() and not self._seconds:
                self._seconds = time.monotonic() - started
                progress.stop()
                if keep and not quiet:
                    self._show_addresses()
            return bool(self._seconds) and not keep

        collect_seldom()
        with progress:
            self._pipeline.engine.run(is_over)
        self._seconds = self._seconds or time.monotonic() - started
        if self._feeder.failure is not None:
            raise self._feeder.failure

    def summary(self, *, interrupted: bool) -> Summary:
        """Ask everyone what they have: the pipeline, the broker, the sandbox."""
        self._feeder.stop()
        response = httpx.get(f"{self._sandbox.base_url}/_sandbox/counts", trust_env=False)
        return Summary.of(
            self._pipeline.tally,
            written=self._feeder.written,
            seconds=self._seconds,
            interrupted=interrupted,
            partitions=group_progress(self.bootstrap_servers, self._group, self.topic),
            sandbox=response.json(),
        )

    def show(self, summary: Summary, *, as_json: bool) -> None:
        """Print the summary to stdout."""
        if as_json:
            click.echo(json.dumps(summary.as_json()))
        else:
            Console(file=sys.stdout).print(summary.as_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def _show_addresses(self) -> None:
        self._console.print(
            f"Kafka      {self.bootstrap_servers} (topic {self.topic}, group {self._group})\n"
            f"Sandbox    {self._sandbox.base_url}/_sandbox/counts\n"
            f"Page       http://{self._pipeline.admin_address}/\n"
            f"Rules      {presets_folder() / 'demo.yaml'}\n"
            f"Failures   {self._folder / 'dead-letters.jsonl'}\n"
            "Ctrl-C ends it."
        )

    def _settings(self) -> Settings:
        return Settings.model_validate(
            {
                "kafka": {
                    "bootstrap_servers": self.bootstrap_servers,
                    "topics": [self.topic],
                    "group_id": self._group,
                    # The embedded broker never answers a fetch early.
                    "fetch_wait_milliseconds": 10,
                },
                "customerio": {
                    "site_id": CREDENTIALS.site_id,
                    "api_key": CREDENTIALS.api_key,
                    "base_url": self._sandbox.base_url,
                },
                "mapping": {"files": [str(presets_folder() / "demo.yaml")]},
                "delivery": {"commit_interval_seconds": 1.0},
                "deadletters": {"file": self._folder / "dead-letters.jsonl"},
                "admin": {"listen": "127.0.0.1:0"},
            }
        )


class Finish:
    """Tells when all that was written is settled, or nothing has moved for so long that it never will be."""

    def __init__(self, pipeline: Pipeline, feeder: Feeder) -> None:
        self._tally = pipeline.tally
        self._feeder = feeder
        self._settled = -1
        self._moved_at = time.monotonic()

    def __call__(self) -> bool:
        """Tell whether it is over."""
        if self._feeder.failure is not None:
            return True
        settled = self._tally.settled.total()
        now = time.monotonic()
        if settled != self._settled:
            self._settled, self._moved_at = settled, now
        if self._feeder.is_done and settled >= self._feeder.written:
            return True
        return now - self._moved_at > STALL_S
