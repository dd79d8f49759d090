"""The engine and the real delivery under faults: scenarios as data, on virtual time."""

from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from pipeline.calls import Reason
from pipeline.deadletters.keeper import FailureLimits
from pipeline.delivery.retry import RetryPolicy
from pipeline.records import Position
from tests.engine_made import call, make_engine
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.kafka_log import FakeLog
from tests.fakes.source import FakeSource
from tests.fakes.virtual_sender import VirtualClock, VirtualSender
from tests.fakes.virtual_time import VirtualLoop
from tests.scenarios.receiver import REQUEST_S, Receiver

SCENARIOS = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text())
PEOPLE = 12
DRAINED_WITHIN_S = 40_000.0


class Killed(BaseException):
    """The end of a process that nothing can catch."""


class MortalSender(VirtualSender):
    """A sender whose process ends at a moment, wherever the engine is then."""

    dies_at = float("inf")

    def sleep(self, seconds: float) -> None:
        left = self.dies_at - self._loop.time()
        if left > seconds:
            super().sleep(seconds)
            return
        super().sleep(max(0.0, left))
        self.dies_at = float("inf")
        raise Killed


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

    def live(self, *, stop_at: float | None = None, kill_at: float | None = None) -> None:
        """Run one engine until everything is committed, or it is told to stop, or killed; times of the scenario."""
        loop = VirtualLoop()
        sender = MortalSender(loop, self.receiver, self._policy())
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
            return self.is_drained or now >= last

        try:
            engine.run(is_over)
        except Killed:
            source.crash()
        finally:
            self.now = began + loop.time()
            self._collect(store)

    def check(self) -> None:
        assert self.is_drained
        assert len(self.dead_positions) == len(self.scenario.get("poison", ()))
        assert self.dead_names == (
            set().union(*self.expected.values()) if self._all_fail else self.receiver.refused
        )
        for person, names in self.expected.items():
            arrivals = [name for who, name in self.receiver.applied if who == person]
            assert list(dict.fromkeys(arrivals)) == [name for name in names if name not in self.dead_names]
        assert len(self.receiver.phases_met) == len(self.scenario.get("phases", ())), "a phase was never met"
        assert self.was_held or not self.scenario.get("held")

    @property
    def is_drained(self) -> bool:
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


@cache
def duration_s(number: int) -> float:
    """Return how long a scenario takes when nobody interferes."""
    stage = Stage(SCENARIOS[number])
    stage.live()
    stage.check()
    return stage.now


every_scenario = pytest.mark.parametrize(
    "number", range(len(SCENARIOS)), ids=[scenario["name"] for scenario in SCENARIOS]
)


@every_scenario
def test_the_accounting_closes(number: int) -> None:
    assert duration_s(number) < DRAINED_WITHIN_S


@pytest.mark.full
@every_scenario
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_it_closes_over_a_stop_in_the_middle(number: int, part: float) -> None:
    stage = Stage(SCENARIOS[number])
    stage.live(stop_at=part * duration_s(number))
    stage.live()
    stage.check()


@pytest.mark.full
@every_scenario
def test_it_closes_over_two_signals(number: int) -> None:
    stage = Stage(SCENARIOS[number])
    stop_at = 0.5 * duration_s(number)
    stage.live(stop_at=stop_at, kill_at=stop_at + REQUEST_S / 2)
    stage.live()
    stage.check()


@pytest.mark.full
@every_scenario
def test_it_closes_over_three_kills(number: int) -> None:
    stage = Stage(SCENARIOS[number])
    for again in range(3):
        stage.live(kill_at=stage.now + 0.3 * duration_s(number) + again * REQUEST_S / 3)
    stage.live()
    stage.check()
