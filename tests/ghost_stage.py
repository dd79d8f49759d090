"""The guard around a real engine, with real rules, register and learner; Kafka and the sender are fakes."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from pipeline.backpressure import OpenLimits
from pipeline.calls import Reason
from pipeline.deadletters.keeper import DeadLetterKeeper, FailureLimits
from pipeline.decode import decode_json
from pipeline.delivery.batch import Batch, Outcome
from pipeline.delivery.lease import Lease
from pipeline.engine import Engine, EngineOptions
from pipeline.mapping import load_rules
from pipeline.people.guard import GhostGuard, GuardOptions
from pipeline.people.known import KnownPeople
from pipeline.people.lanes import HoldingLanes, HoldLimits
from pipeline.people.learning import Learner
from pipeline.people.observed import ObservedSender
from pipeline.people.policies import Policies
from pipeline.people.register import Register
from pipeline.people.source import LearningSource
from pipeline.records import Record, TopicPartition
from pipeline.tally import Tally
from pipeline.translation import Translation, Translator
from pipeline.unidentified import Unidentified
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.kafka_log import FakeLog
from tests.fakes.sender import FakeSender, confirm_all
from tests.fakes.source import FakeSource

P0, P1 = TopicPartition("events", 0), TopicPartition("events", 1)
RULES = {
    "version": 1,
    "defaults": {"id": "${user}", "email": "${by}", "timestamp": 1_773_480_413},
    "rules": [
        {
            "name": "profile",
            "when": "type == 'profile'",
            "identify": {"attributes": {"email": "${email}", "plan": "${plan}"}},
        },
        {"name": "event", "when": "type == 'event'", "track": {"name": "${name}"}},
        {
            "name": "visitor",
            "when": "type == 'visitor'",
            "track": {"name": "${name}", "anonymous_id": "${at}"},
        },
        {
            "name": "own",
            "when": "type == 'own'",
            "unidentified": "drop",
            "track": {"name": "${name}"},
        },
        {
            "name": "both",
            "when": "type == 'both'",
            "calls": [{"identify": {}}, {"track": {"name": "${name}"}}],
        },
        {"name": "gone", "when": "type == 'gone'", "destroy": {}},
        {"name": "back", "when": "type == 'back'", "unsuppress": {}},
        {
            "name": "phone",
            "when": "type == 'phone'",
            "add_device": {"device": {"token": "t", "platform": "ios"}},
        },
        {"name": "phone gone", "when": "type == 'phone gone'", "delete_device": {"device": {"token": "t"}}},
        {
            "name": "farewell",
            "when": "type == 'farewell'",
            "calls": [{"destroy": {}}, {"track": {"name": "${name}"}}],
        },
        {
            "name": "merged",
            "when": "type == 'merged'",
            "merge": {"cio_id": "${cio_id}", "identity": ["cio_id", "id"], "secondary": {"id": "${loser}"}},
        },
    ],
}


class Stage:
    """One worker with everything around it. The log and the folder outlive it."""

    def __init__(
        self,
        folder: Path,
        policy: Unidentified = Unidentified.DEAD_LETTER,
        *,
        log: FakeLog | None = None,
        limits: HoldLimits | None = None,
        needs_email: bool = False,
        per_day: int | None = None,
        answer: Callable[[Batch], Sequence[Outcome] | None] = confirm_all,
        max_people: int = 10_000,
        file: str = "people.sqlite",
    ) -> None:
        rules_file = folder / "rules.yaml"
        rules_file.write_text(yaml.safe_dump(RULES))
        rules = load_rules([rules_file])
        self.clock = FakeClock()
        self.log = log or FakeLog({"events": 2})
        self.reads: list[tuple[TopicPartition, int | None, int]] = []
        self.unreadable: Exception | None = None
        self.left_out: Counter[str] = Counter()
        self.made = 0
        self.inner = FakeSender(self.clock, answer)
        self.store = FakeDeadLetters()
        self.tally = Tally()

        def translator() -> Translator:
            return Translator(rules, self.clock.now, decode=decode_json)

        def count() -> None:
            self.made += 1

        def open_register() -> Register:
            return Register(folder / file, max_people)

        def calls_of(record: Record, _stop: Callable[[], bool]) -> Any:
            translation = translator().translate(record)
            assert isinstance(translation, Translation)
            return translation.calls

        register = open_register()
        people = KnownPeople(register, self.clock.now, count)
        guard = GhostGuard(
            translator(),
            people,
            Policies(policy, lambda: rules),
            GuardOptions(needs_email, per_day),
            self.left_out,
        )
        keeper = DeadLetterKeeper(self.store, FailureLimits(share=None), self.clock, self.tally)
        self.kafka = FakeSource(self.log, idle=self.clock.sleep)
        self.source = LearningSource(
            self.kafka, register, Learner(self._read, calls_of, open_register, self.clock.now)
        )
        self.engine = Engine(
            source=self.source,
            sender=ObservedSender(self.inner, [people.settled]),
            dead_letters=keeper,
            translator=guard,
            lanes=HoldingLanes(
                guard,
                people,
                keeper,
                limits or HoldLimits(),
                max_bytes=475_000,
                max_items=10,
                linger_s=0.05,
            ),
            lease=Lease(1e9, 5.0),
            clock=self.clock,
            tally=self.tally,
            options=EngineOptions(open_limits=OpenLimits(max_span=100)),
        )
        self._started = False

    def _read(
        self, partition: TopicPartition, start: int | None, end: int, stop: Callable[[], bool]
    ) -> Iterator[Sequence[Record]]:
        self.reads.append((partition, start, end))
        if self.unreadable is not None:
            raise self.unreadable
        records = self.log.partitions[partition].records
        for offset in sorted(records):
            if (start or 0) <= offset < end and not stop():
                yield [records[offset]]

    def event(self, what: str, user: str | None = "u1", *, partition: int = 0, **more: Any) -> Record:
        value = {"type": what, "user": user, **more}
        return self.log.append("events", partition, orjson.dumps(value))

    def run_for(self, seconds: float = 5.0) -> None:
        if not self._started:
            self._started = True
            self.source.start(self.engine)
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.engine.step()

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Go round until something that a thread does has happened."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            self.run_for(0.5)
            time.sleep(0.001)

    def run_and_stop(self, seconds: float = 5.0) -> None:
        until = self.clock.monotonic() + seconds
        self.engine.run(lambda: self.clock.monotonic() >= until)

    def crash(self) -> None:
        self.kafka.crash()

    def committed(self, partition: TopicPartition = P0) -> int:
        return self.log.committed.get(partition, 0)

    @property
    def sent(self) -> list[tuple[str, str | None]]:
        """Kind or name, and person, of each call in the order of sending."""
        return [
            (op.source.name or str(op.kind), op.identity and op.identity.value)
            for batch in self.inner.sent
            for op in batch.operations
        ]

    @property
    def letters(self) -> list[tuple[Reason, str | None, int]]:
        return [
            (each.reason, each.source and each.source.name, each.record.offset) for each in self.store.safe
        ]
