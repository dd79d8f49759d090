"""A pipeline at work for long: a steady load, a little of everything now and then, and an observer beside it."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from pipeline.customerio.credentials import Credentials
from pipeline.presets_folder import presets_folder
from pipeline.sandbox.app import SandboxState
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.server import SandboxService
from pipeline.sandbox.workspace import Workspace
from tests.chaos.accounting import dead_letters_in
from tests.chaos.harness.curve import Curve
from tests.chaos.harness.feed import Feed
from tests.chaos.harness.oracle import judge
from tests.packaging.test_queries import panels, selectors
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxQuestions

TOPIC, GROUP = "soak", "soak"
PARTITIONS = 6
RATE = 200
ONLY_WHILE_RECORDS_WAIT = {"cio_pipeline_partition_retention_left_seconds"}
SAMPLE_S = 4.0
SETTLE_S = 300.0
"""How long anything may take on a busy machine before it counts as broken."""


def board_series() -> set[str]:
    """Return every series that the board asks for, by the names that Prometheus adds left out."""
    found = set()
    for panel in panels():
        for target in panel["targets"]:
            found |= {str(each.name) for each in selectors(target["expr"].replace("$__rate_interval", "1m"))}
    return found


class Observer:
    """Samples a process every few seconds, and notes each series of the board that has no data."""

    def __init__(self, pipeline: PipelineProcess, path: Path) -> None:
        self._pipeline = pipeline
        self._series = board_series() - ONLY_WHILE_RECORDS_WAIT
        self._stop = Event()
        self._thread = Thread(target=self._run, name="observer", daemon=True)
        self.curve = Curve(pipeline.process.pid, path)
        self.without_data: list[str] = []
        self.scrapes = 0

    def __enter__(self) -> Self:
        deadline = time.monotonic() + SETTLE_S
        while missing := self._missing():
            assert time.monotonic() < deadline, f"no data of {missing}"
            time.sleep(0.5)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self.curve.take()
            self.without_data += self._missing()
            self.scrapes += 1

    def _missing(self) -> set[str]:
        families = text_string_to_metric_families(self._pipeline.get("/metrics").text)
        return self._series - {sample.name for family in families for sample in family.samples}


class RotatingSandbox(SandboxQuestions):
    """A sandbox in a thread of this process whose key may change from one request to the next."""

    def __init__(self) -> None:
        self._state = SandboxState(Workspace(), Faults(0), None)
        self._service = SandboxService(self._state)
        self._thread = Thread(target=lambda: asyncio.run(self._service.serve()), name="sandbox", daemon=True)
        self._rotations = 0
        self.base_url = self._service.base_url
        super().__init__(self.base_url)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._service.stop()
        self._thread.join()

    def rotate(self) -> str:
        """Take a new key from now on and no other; return it."""
        self._rotations += 1
        key = f"{API_KEY}-{self._rotations}"
        self._state.credentials = Credentials(SITE_ID, key)
        return key


class Soak:
    """One pipeline under a steady load, a visitor that comes and goes, and a receiver whose key is rotated."""

    def __init__(self, kafka: ApacheKafka, folder: Path, seconds: float) -> None:
        self._kafka = kafka
        self._folder = folder
        self._key = folder / "api-key"
        self._closing = ExitStack()
        self._visitor: PipelineProcess | None = None
        records = int(RATE * (seconds + SETTLE_S))
        self.feed = Feed(
            kafka.bootstrap_servers,
            TOPIC,
            PARTITIONS,
            rate=RATE,
            count=records,
            people=max(200, records // 20),
        )

    def __enter__(self) -> Self:
        self._kafka.create_topic(TOPIC, PARTITIONS)
        (self._folder / "rules.yaml").write_bytes((presets_folder() / "demo.yaml").read_bytes())
        self.sandbox = self._closing.enter_context(RotatingSandbox())
        self._key.write_text(self.sandbox.rotate())
        self.pipeline = self._open_pipeline("steady")
        self._closing.enter_context(self.pipeline)
        self._closing.callback(self.feed.finish)
        self.feed.start()
        self.pipeline.wait_until(self.pipeline.is_ready, "ready", SETTLE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    # What happens now and then

    def events(self) -> Iterator[Callable[[], None]]:
        """Yield what happens next, for ever."""
        return cycle((self.visitor_comes, self.outage, self.visitor_goes, self.reload, self.rotate_key))

    def visitor_comes(self) -> None:
        visitor = self._open_pipeline("visitor")
        self._closing.enter_context(visitor)
        visitor.wait_until(visitor.is_ready, "the visitor has its partitions", SETTLE_S)
        self._visitor = visitor

    def visitor_goes(self) -> None:
        if self._visitor is not None:
            assert self._visitor.stop(timeout_s=SETTLE_S) == 128 + signal.SIGTERM, self._visitor.output[
                -2000:
            ]
            self._visitor = None

    def outage(self) -> None:
        self.sandbox.set_fault("refuse", seconds=5)

    def reload(self) -> None:
        with (self._folder / "rules.yaml").open("a") as rules:
            rules.write("# edited\n")
        self._expect("mapping_loaded", lambda: self.pipeline.process.send_signal(signal.SIGHUP))

    def rotate_key(self) -> None:
        """Let the receiver take another key, and give it to the pipeline once it has noticed."""
        keys: list[str] = []
        self._expect("delivery_holds", lambda: keys.append(self.sandbox.rotate()))
        self._expect("delivery_goes_on", lambda: self._key.write_text(keys[0]))

    def _expect(self, event: str, cause: Callable[[], object]) -> None:
        before = self._logged(event)
        cause()
        self.pipeline.wait_until(lambda: self._logged(event) > before, event, SETTLE_S)

    def _logged(self, event: str) -> int:
        return self.pipeline.log_path.read_bytes().count(f'"event": "{event}"'.encode())

    # The parts

    def _open_pipeline(self, name: str) -> PipelineProcess:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        configuration = write_configuration(
            folder,
            bootstrap_servers=self._kafka.bootstrap_servers,
            topic=TOPIC,
            group=GROUP,
            base_url=self.sandbox.base_url,
            kafka={"session_timeout_seconds": 30},
            customerio={"api_key": None, "api_key_file": str(self._key)},
            mapping={"files": [str(self._folder / "rules.yaml")]},
            delivery={"retry": {"initial_backoff_seconds": 0.1, "max_backoff_seconds": 2.0}},
            logs={"level": "info"},
        )
        return PipelineProcess(configuration)

    # The end

    def finish(self) -> None:
        """End the feed, let everything drain, stop, and check that the accounting closes."""
        self.visitor_goes()
        self.feed.finish()
        assert not self.feed.failures, self.feed.failures[:3]
        self.pipeline.wait_until(self._is_drained, "drained", SETTLE_S)
        assert self.pipeline.stop() == 128 + signal.SIGTERM
        letters = [e for f in self._folder.glob("*/dead-letters.jsonl") for e in dead_letters_in(f)]
        dead = [((entry.record.partition, entry.record.offset), entry.reason) for entry in letters]
        committed = {
            p.partition: offset for p, offset in self._kafka.committed(GROUP).items() if p.topic == TOPIC
        }
        report = judge(self.feed.written, self.sandbox, dead, committed)
        print(f"report: {report.figures()}")
        assert report.problems() == []

    def _is_drained(self) -> bool:
        committed = self._kafka.committed(GROUP)
        return all(committed.get(name, 0) == end for name, end in self._kafka.end_offsets(TOPIC).items())
