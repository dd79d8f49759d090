"""Two members of one group in this process, on fakes of Kafka and a real workspace: a story for the oracle."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson

from pipeline.backpressure import OpenLimits
from pipeline.calls import Reason
from pipeline.deadletters.keeper import DeadLetterKeeper, FailureLimits
from pipeline.decode import decode_json
from pipeline.delivery.batch import CONFIRMED, Batch
from pipeline.delivery.lanes import Lanes
from pipeline.delivery.lease import Lease
from pipeline.demo.shop import shop_records
from pipeline.engine import Engine, EngineOptions
from pipeline.mapping import load_rules
from pipeline.ports import CommitResult
from pipeline.presets_folder import presets_folder
from pipeline.records import Record, TopicPartition
from pipeline.sandbox.workspace import Workspace
from pipeline.tally import Tally
from pipeline.translation import Translator
from tests.chaos.harness.oracle import Look, Place, Report, judge
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.kafka_log import FakeLog
from tests.fakes.sender import FakeSender
from tests.fakes.source import FakeSource
from tests.servers.shop_topic import START_MS

TOPIC = "shop"
LEASE_S, DOUBT_S = 20.0, 5.0


class WorkspaceReceiver:
    """The sandbox's workspace without its server; calls arrive the moment they are sent."""

    def __init__(self) -> None:
        self.workspace = Workspace()

    def counts(self) -> dict[str, Any]:
        journal = self.workspace.journal
        return {"events_counted": journal.events_counted, "calls": journal.calls}

    def event_ids(self) -> dict[str, int]:
        return dict(self.workspace.journal.event_ids)

    def people(self) -> list[dict[str, Any]]:
        return [person.document() for person in self.workspace.people]

    def arrivals(self, first: int = 0) -> Iterator[dict[str, Any]]:
        return (arrival.document() for arrival in self.workspace.journal.arrivals[first:])


class DirectSender(FakeSender):
    """Hands calls to the receiver at once; only the answer takes its time. `deaf`: it cannot give a batch up."""

    def __init__(self, clock: FakeClock, receiver: WorkspaceReceiver) -> None:
        super().__init__(clock, lambda batch: [CONFIRMED] * len(batch.operations), latency_s=0.3, capacity=2)
        self._receiver = receiver
        self.deaf = False

    def submit(self, batch: Batch) -> None:
        for operation in batch.operations:
            assert self._receiver.workspace.take(orjson.loads(operation.payload), 0.0) is None
        super().submit(batch)

    def abandon(self, batches: Collection[int]) -> None:
        if not self.deaf:
            super().abandon(batches)


class GroupMember(FakeSource):
    """While `unaware` it polls and does not know that the group has given its partitions away."""

    unaware = False

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        return [] if self.unaware else super().poll(max_records, timeout_s)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        return CommitResult({}, "unknown member") if self.unaware else super().commit(offsets)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of; a planted bug exchanges one of them."""

    source: type[GroupMember] = GroupMember
    engine: type[Engine] = Engine
    lease: type[Lease] = Lease


class Worker:
    """One engine with what is around it."""

    def __init__(self, stage: "Stage", parts: Parts) -> None:
        self.source = parts.source(stage.log, idle=stage.clock.sleep)
        self.sender = DirectSender(stage.clock, stage.receiver)
        tally = Tally()
        rules = load_rules([presets_folder() / "demo.yaml"])
        self.engine = parts.engine(
            source=self.source,
            sender=self.sender,
            dead_letters=DeadLetterKeeper(stage.store, FailureLimits(share=None), stage.clock, tally),
            translator=Translator(rules, lambda: 4e9, decode=decode_json),
            lanes=Lanes(max_bytes=475_000, max_items=5, linger_s=0.05),
            lease=parts.lease(LEASE_S, DOUBT_S),
            clock=stage.clock,
            tally=tally,
            options=EngineOptions(
                20, OpenLimits(max_records=60), commit_interval_s=0.5, drain_deadline_s=2.0
            ),
        )
        self.source.start(self.engine)


class Stage:
    """A log, a receiver and a clock that outlive the workers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.clock = FakeClock()
        self.log = FakeLog({TOPIC: 4})
        self.receiver = WorkspaceReceiver()
        self.store = FakeDeadLetters()
        self.looks: list[Look] = []
        self._shop = shop_records(2_000, seed=3, start_ms=START_MS, people=60)
        self.written: list[Record] = []

    def worker(self) -> Worker:
        return Worker(self, self._parts)

    def write(self, count: int) -> None:
        """Write the next records, each person's into one partition, and one that is empty."""
        for number in range(count):
            record = next(self._shop)
            partition = crc32(record.key) % 4 if record.key else number % 4
            self._append(partition, record.value, record.key, record.timestamp_ms)
        self._append(count % 4, b"", None, START_MS)

    def _append(self, partition: int, value: bytes | None, key: bytes | None, timestamp_ms: int) -> None:
        self.written.append(self.log.append(TOPIC, partition, value, key, timestamp_ms=timestamp_ms))

    def go_round(self, *workers: Worker, times: int = 10) -> None:
        for _ in range(times):
            for worker in workers:
                worker.engine.step()
                self.looks.append(Look(self.committed, sum(self.receiver.counts()["calls"].values())))

    def go_on_until_drained(self, *workers: Worker) -> None:
        deadline = self.clock.monotonic() + 300
        while not self._is_drained() and self.clock.monotonic() < deadline:
            self.go_round(*workers, times=1)

    @property
    def committed(self) -> dict[int, int]:
        return {name.partition: offset for name, offset in self.log.committed.items()}

    @property
    def dead_letters(self) -> list[tuple[Place, Reason]]:
        return [((e.record.partition, e.record.offset), e.reason) for e in self.store.safe]

    def _is_drained(self) -> bool:
        return all(self.log.committed.get(name) == each.high for name, each in self.log.partitions.items())


def play(parts: Parts) -> Report:
    """Let two workers live through a kill, a lost assignment with late answers, and a freeze; then judge."""
    stage = Stage(parts)
    first, second = stage.worker(), stage.worker()
    for chapter in (_kill, _lose, _freeze):
        stage.write(150)
        stage.go_round(first, second)
        first = chapter(stage, first, second)
    stage.write(50)
    stage.go_on_until_drained(first, second)
    return judge(stage.written, stage.receiver, stage.dead_letters, stage.committed, stage.looks)


Chapter = Callable[[Stage, Worker, Worker], Worker]


def _kill(stage: Stage, first: Worker, second: Worker) -> Worker:
    first.source.crash()
    stage.go_round(second)
    return stage.worker()


def _lose(stage: Stage, first: Worker, second: Worker) -> Worker:
    """Its assignment is gone while requests are under way that nobody can call back and that take long."""
    first.sender.deaf, first.sender.latency_s, first.sender.capacity = True, 8.0, 8
    stage.go_round(first, second, times=4)
    first.source.lose(*first.source.assigned)
    stage.go_round(first, second, times=100)
    first.sender.deaf, first.sender.latency_s, first.sender.capacity = False, 0.3, 2
    stage.go_round(first, second, times=100)
    return first


def _freeze(stage: Stage, first: Worker, second: Worker) -> Worker:
    """The second one stops, the first takes over, and the second wakes up without knowing."""
    second.sender.latency_s = 1.0
    stage.write(150)
    stage.go_round(second, first, times=3)
    stage.log.leave(second.source)
    stage.clock.sleep(3 * LEASE_S)
    stage.write(150)
    first.sender.capacity = 8
    stage.go_round(first, times=600)
    first.sender.capacity = 2
    second.source.unaware = True
    stage.go_round(second, first, times=15)
    second.source.unaware = False
    stage.log.join(second.source)
    second.source.lose(*second.source.assigned)
    second.sender.latency_s = 0.3
    return first
