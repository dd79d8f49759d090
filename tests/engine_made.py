"""An engine on fakes and a fake clock, and what a test wants to know about it."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from pipeline.deadletters.keeper import DeadLetterKeeper, FailureLimits
from pipeline.decode import decode_json
from pipeline.delivery.batch import Batch, Outcome
from pipeline.delivery.lanes import Lanes
from pipeline.delivery.lease import Lease
from pipeline.engine import Engine, EngineOptions
from pipeline.ports import Clock, DeadLetterStore, Sender, Source
from pipeline.records import Record, TopicPartition
from pipeline.tally import Tally
from pipeline.translation import Translator
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.kafka_log import FakeLog
from tests.fakes.mapper import ListMapper
from tests.fakes.sender import FakeSender, confirm_all
from tests.fakes.source import FakeSource

P0 = TopicPartition("events", 0)
P1 = TopicPartition("events", 1)


def make_engine(
    *,
    source: Source,
    sender: Sender,
    store: DeadLetterStore,
    clock: Clock,
    tally: Tally | None = None,
    options: EngineOptions | None = None,
    max_items: int = 10,
    failure_limits: FailureLimits | None = None,
    decode: Callable[[Record], Any] = decode_json,
    lease: Lease | None = None,
    one_a_request: bool = False,
) -> Engine:
    """Put an engine together that takes events at their word."""
    tally = tally or Tally()
    return Engine(
        source=source,
        sender=sender,
        dead_letters=DeadLetterKeeper(store, failure_limits or FailureLimits(), clock, tally),
        translator=Translator(ListMapper(), clock.now, decode=decode, always_single=one_a_request),
        lanes=Lanes(max_bytes=475_000, max_items=max_items, linger_s=0.05),
        lease=lease or Lease(20.0, 5.0),
        clock=clock,
        tally=tally,
        options=options or EngineOptions(),
    )


class Rig:
    """One engine with everything around it. The log outlives it, as Kafka does."""

    def __init__(
        self,
        log: FakeLog | None = None,
        *,
        answer: Callable[[Batch], Sequence[Outcome] | None] = confirm_all,
        latency_s: float = 0.0,
        options: EngineOptions | None = None,
        max_items: int = 10,
        failure_limits: FailureLimits | None = None,
        decode: Callable[[Record], Any] = decode_json,
        lease: Lease | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.log = log or FakeLog({"events": 2})
        self.source = FakeSource(self.log, idle=self.clock.sleep)
        self.sender = FakeSender(self.clock, answer, latency_s=latency_s)
        self.dead_letters = FakeDeadLetters()
        self.tally = Tally()
        self.engine = make_engine(
            source=self.source,
            sender=self.sender,
            store=self.dead_letters,
            clock=self.clock,
            tally=self.tally,
            options=options,
            max_items=max_items,
            failure_limits=failure_limits,
            decode=decode,
            lease=lease,
        )

    def append(self, *calls: list[str], partition: int = 0) -> Record:
        """Write a record that asks for these calls."""
        return self.log.append("events", partition, orjson.dumps(calls))

    def append_value(self, value: bytes | None, partition: int = 0) -> Record:
        """Write a record with this value."""
        return self.log.append("events", partition, value)

    def start(self) -> None:
        """Join the group."""
        self.source.start(self.engine)

    def step(self, times: int = 1) -> None:
        """Let the engine go round."""
        for _ in range(times):
            self.engine.step()

    def run_for(self, seconds: float) -> None:
        """Let the engine go round until the clock has moved so far."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.engine.step()

    def run_until_drained(self) -> None:
        """Run the whole life of an engine: until everything is committed, or a minute has passed."""
        deadline = self.clock.monotonic() + 60

        def drained() -> bool:
            ends = {name: log.high for name, log in self.log.partitions.items() if log.high}
            return all(self.log.committed.get(name) == end for name, end in ends.items())

        self.engine.run(lambda: drained() or self.clock.monotonic() > deadline)

    @property
    def committed(self) -> dict[TopicPartition, int]:
        """What the group has committed; a partition of which nothing is done yet is left out."""
        return {name: offset for name, offset in self.log.committed.items() if offset > 0}

    @property
    def delivered(self) -> list[tuple[str, str | None]]:
        """Person and event name of each call that was sent, in the order of sending."""
        return [
            (op.identity.value, op.source.name)
            for batch in self.sender.sent
            for op in batch.operations
            if op.identity
        ]


def call(kind: str, person: str, *rest: Any) -> list[str]:
    """Return a call as `ListMapper` reads it."""
    return [kind, person, *rest]
