"""One scenario on virtual time: a log that stays, and engines that come and go over it."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from pipeline.calls import Reason
from pipeline.deadletters.keeper import FailureLimits
from pipeline.delivery.batch import Abandoned, Batch, BatchResult
from pipeline.delivery.retry import RetryPolicy
from pipeline.records import Position
from tests.engine_made import call, make_engine
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.kafka_log import FakeLog
from tests.fakes.source import FakeSource
from tests.fakes.virtual_sender import VirtualClock, VirtualSender
from tests.fakes.virtual_time import VirtualLoop
from tests.scenarios.receiver import Receiver

PEOPLE = 12
DRAINED_WITHIN_S = 40_000.0


class Killed(BaseException):
    """The end of a process that nothing can catch."""


class MortalSender(VirtualSender):
    """A sender whose process ends at a moment, wherever the engine is then. It watches what passes through it."""

    dies_at = float("inf")

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._busy_lanes: dict[int, frozenset[int]] = {}
        self._settled: set[int] = set()

    def submit(self, batch: Batch) -> None:
        lanes = frozenset(lane for operation in batch.operations for lane in operation.lanes)
        assert not lanes & frozenset().union(*self._busy_lanes.values()), "a lane is in two batches"
        self._busy_lanes[batch.number] = lanes
        super().submit(batch)

    def results(self, timeout_s: float) -> Sequence[BatchResult]:
        found = super().results(timeout_s)
        for result in found:
            del self._busy_lanes[result.batch.number]  # exactly one result for each batch
            assert len(result.outcomes) == len(result.batch.operations)
            for operation, outcome in zip(result.batch.operations, result.outcomes, strict=True):
                if not isinstance(outcome, Abandoned):
                    # An operation belongs to one assignment: the next one reads the record again and makes it anew.
                    assert operation.sequence not in self._settled, "an operation is settled twice"
                    self._settled.add(operation.sequence)
        return found

    def sleep(self, seconds: float) -> None:
        left = self.dies_at - self._loop.time()
        if left > seconds:
            super().sleep(seconds)
            return
        super().sleep(max(0.0, left))
        self.dies_at = float("inf")
        raise Killed

    def close(self) -> None:
        self.dies_at = float("inf")
        super().close()


class Stage:
    """One scenario: a log that stays, and engines that come and go over it."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.scenario = scenario
        self.log = FakeLog({"events": 2})
        self.receiver = Receiver(scenario)
        self.now = 0.0
        self.expected: dict[str, list[str]] = {}
        self.was_held = False
        self.dead_names: set[str] = set()
        self.dead_positions: set[Position] = set()
        poison = set(scenario.get("poison", ()))
        for number in range(scenario.get("records", 200)):
            person = f"p{number % PEOPLE}"
            partition = number % PEOPLE % 2
            if number in poison:
                self.log.append("events", partition, b"poison")
                continue
            self.expected.setdefault(person, []).append(str(number))
            self.log.append("events", partition, orjson.dumps([call("track", person, str(number))]))

    def live(
        self,
        *,
        stop_at: float | None = None,
        kill_at: float | None = None,
        disturb: Callable[[float, FakeSource], None] = lambda _now, _source: None,
    ) -> None:
        """Run one engine until everything is committed, or it is told to stop, or killed; times of the scenario.

        `disturb` is called again and again with the time and the engine's source.
        """
        loop = VirtualLoop()
        rate_per_s = self.scenario.get("requests_per_s", 1e6)
        sender = MortalSender(loop, self.receiver, self._policy(), rate_per_s=rate_per_s)
        source = FakeSource(self.log, idle=sender.sleep)
        store = FakeDeadLetters()
        began = self.receiver.began = self.now
        engine = make_engine(
            source=source,
            sender=sender,
            store=store,
            clock=VirtualClock(loop),
            max_items=17,
            failure_limits=FailureLimits(share=None),
            one_a_request=self.scenario.get("one_a_request", False),
        )
        sender.dies_at = float("inf") if kill_at is None else kill_at - began
        last = began + DRAINED_WITHIN_S if stop_at is None else stop_at
        broken_from, broken_until = self.scenario.get("dead_letters_down", (0, 0))

        def is_over() -> bool:
            now = began + loop.time()
            store.broken = "the disk is full" if broken_from <= now < broken_until else None
            self.was_held |= sender.held is not None
            disturb(now, source)
            return self.is_drained or now >= last

        try:
            engine.run(is_over)
        except Killed:
            source.crash()
        finally:
            self.now = began + loop.time()
            self._collect(store)

    def check(self) -> None:
        """Check that the accounting closes, and that nobody's calls overtook each other."""
        assert self.is_drained
        assert len(self.dead_positions) == len(self.scenario.get("poison", ()))
        assert self.dead_names == (
            set().union(*self.expected.values()) if self._all_fail else self.receiver.refused
        )
        for person, names in self.expected.items():
            arrivals = [name for who, name in self.receiver.applied if who == person]
            assert list(dict.fromkeys(arrivals)) == [name for name in names if name not in self.dead_names]

    def check_it_was_met(self) -> None:
        """Check that what the scenario is about has happened."""
        assert len(self.receiver.phases_met) == len(self.scenario.get("phases", ())), "a phase was never met"
        assert self.was_held or not self.scenario.get("held")

    @property
    def is_drained(self) -> bool:
        """Whether everything in the log is committed."""
        return all(self.log.committed.get(name) == each.high for name, each in self.log.partitions.items())

    @property
    def _all_fail(self) -> bool:
        return bool(self.scenario.get("all_fail"))

    def _collect(self, store: FakeDeadLetters) -> None:
        for entry in store.safe:
            if entry.reason is Reason.UNDECODABLE:
                self.dead_positions.add(entry.record.position)
            elif entry.source is not None:
                self.dead_names.add(entry.source.name or "")

    def _policy(self) -> RetryPolicy:
        if "exhausted_s" in self.scenario:
            return RetryPolicy(max_elapsed_s=self.scenario["exhausted_s"], on_exhausted="dead_letter")
        return RetryPolicy()
