"""Everything a chaos run needs, started and ended together: cluster, feed, receiver, workers, and who looks on."""

import time
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.calls import Reason
from tests.chaos.accounting import dead_letters_in
from tests.chaos.harness.cluster import ProxiedKafka
from tests.chaos.harness.feed import Feed
from tests.chaos.harness.oracle import Look, Place, Report, judge
from tests.chaos.harness.proxy import Proxies
from tests.chaos.harness.workers import Worker
from tests.servers.pipeline import wait_until, write_configuration
from tests.servers.sandbox import SandboxProcess, SandboxQuestions

TOPIC, GROUP = "shop", "chaos"
PARTITIONS = 12
SESSION_S = 8
BROKERS = 3
DRAIN_DEADLINE_S = 240.0


class Arena:
    """Opens with the cluster up and nothing running in the group; `workers` are started by whoever uses it."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int,
        rate: int,
        seconds: float,
        brokers: int = BROKERS,
        properties: dict[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._count = workers
        self._rate = rate
        self._seconds = seconds
        self._brokers = brokers
        self._properties = properties or {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def _open(self) -> None:
        proxies = self._closing.enter_context(Proxies())
        self.kafka = self._closing.enter_context(ProxiedKafka(proxies, self._count, self._brokers))
        self.kafka.create_topic(TOPIC, PARTITIONS)
        self.sandbox = self._closing.enter_context(SandboxProcess())
        port = int(self.sandbox.base_url.rsplit(":", 1)[1])
        self.ways_to_sandbox = [proxies.open(port) for _ in range(self._count)]
        self.workers = [self._worker(number) for number in range(self._count)]
        records = int(self._rate * (self._seconds + 120))
        self.feed = Feed(
            self.kafka.bootstrap_servers,
            TOPIC,
            PARTITIONS,
            rate=self._rate,
            count=records,
            people=max(200, records // 20),
        )
        self.watch = Watch(self.kafka.bootstrap_servers, self.feed, self.sandbox.base_url)
        self._closing.callback(self.watch.stop)
        self._closing.callback(self.feed.finish)

    def _worker(self, number: int) -> Worker:
        folder = self._folder / f"worker-{number}"
        folder.mkdir()
        configuration = write_configuration(
            folder,
            bootstrap_servers=self.kafka.addresses_for(number),
            topic=TOPIC,
            group=GROUP,
            base_url=f"http://127.0.0.1:{self.ways_to_sandbox[number].port}",
            kafka={
                "session_timeout_seconds": SESSION_S,
                "properties": {"topic.metadata.refresh.interval.ms": 5_000, **self._properties},
            },
            delivery={
                "max_open_records": 2_000,
                "retry": {"initial_backoff_seconds": 0.1, "max_backoff_seconds": 2.0},
            },
            customerio={"request_timeout_seconds": 5.0},
            logs={"level": "info"},
        )
        worker = Worker(number, configuration)
        self._closing.callback(worker.kill)
        return worker

    def wait_until_ready(self, *workers: Worker) -> None:
        """Wait until these have joined and every partition is somebody's."""
        wait_until(lambda: all(worker.is_ready() for worker in workers), "every worker ready", 90, 0.5)

    def departures(self) -> int:
        """How often any worker has had to let partitions go so far."""
        events = ("partitions_lost", "partitions_revoked")
        return sum(worker.logged(event) for worker in self.workers for event in events)

    def finish(self) -> Report:
        """End the feed, let what runs drain, stop it, and judge."""
        self.feed.finish()
        assert not self.feed.failures, self.feed.failures[:3]
        wait_until(self._is_drained, "everything committed", DRAIN_DEADLINE_S, 1.0)
        for worker in self.workers:
            worker.stop()
        self.watch.stop()
        committed = self._committed()
        return judge(self.feed.written, self.sandbox, self._dead_letters(), committed, self.watch.looks)

    def _is_drained(self) -> bool:
        for worker in self.workers:
            worker.check()
        ends = {name.partition: end for name, end in self.kafka.end_offsets(TOPIC).items()}
        committed = self._committed()
        return all(committed.get(partition, 0) == end for partition, end in ends.items())

    def _committed(self) -> dict[int, int]:
        return {p.partition: offset for p, offset in self.kafka.committed(GROUP).items() if p.topic == TOPIC}

    def _dead_letters(self) -> list[tuple[Place, Reason]]:
        entries = [e for w in self.workers for e in dead_letters_in(w.folder / "dead-letters.jsonl")]
        return [((entry.record.partition, entry.record.offset), entry.reason) for entry in entries]


class Watch:
    """Looks every second at what is committed and, after that, at what has arrived."""

    def __init__(self, bootstrap_servers: str, feed: Feed, base_url: str) -> None:
        self._asker = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": GROUP, "log_level": 0})
        self._feed = feed
        self._sandbox = SandboxQuestions(base_url)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)
        self.looks: list[Look] = []
        self.longest_stall_s = 0.0

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        if not self._stop.is_set():
            self._stop.set()
            if self._thread.is_alive():
                self._thread.join()
            self._asker.close()
            self._sandbox.close()

    def _run(self) -> None:
        arrivals, since = 0, time.monotonic()
        while not self._stop.wait(1.0):
            committed = self._committed()
            now_arrived = sum(self._sandbox.counts()["calls"].values())
            now = time.monotonic()
            self.looks.append(Look(committed, now_arrived))
            if now_arrived > arrivals:
                arrivals, since = now_arrived, now
            self.longest_stall_s = max(self.longest_stall_s, now - since)

    def _committed(self) -> dict[int, int]:
        asked = [KafkaPartition(TOPIC, partition) for partition in range(self._feed.partitions)]
        try:
            answers = self._asker.committed(asked, 3.0)
        except KafkaException:
            return {}
        return {answer.partition: answer.offset for answer in answers if answer.offset > 0}
