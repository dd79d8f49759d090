"""The engine and the real delivery under faults: scenarios as data, on virtual time."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import yaml

from pipeline.calls import Reason
from pipeline.customerio.verdicts import (
    DELIVERED,
    Fatal,
    PartlyDelivered,
    Refusal,
    Refused,
    Retry,
    TooLarge,
    Verdict,
)
from pipeline.deadletters.keeper import FailureLimits
from pipeline.delivery.retry import RetryPolicy
from pipeline.records import Position
from tests.engine_made import call, make_engine
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.kafka_log import FakeLog
from tests.fakes.source import FakeSource
from tests.fakes.virtual_sender import VirtualClock, VirtualSender
from tests.fakes.virtual_time import VirtualLoop

SCENARIOS = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text())
PEOPLE = 12
DRAINED_WITHIN_S = 40_000.0


class Receiver:
    """Plays its phases by the clock and notes what it applied, in order."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self._phases: list[dict[str, Any]] = scenario.get("phases", [])
        self._share: float = scenario.get("bad", 0.0)
        self._how: str = scenario.get("how", "207")
        self._requests = 0
        self.began = 0.0
        self.applied: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.phases_met: set[int] = set()

    def is_bad(self, name: str) -> bool:
        return Random(name).random() < self._share

    async def send_batch(self, payloads: Sequence[bytes]) -> Verdict:
        self._requests += 1
        await asyncio.sleep(0.01)
        match self._phase():
            case {"down": _}:
                return Retry("connection refused")
            case {"unknown": _}:
                self._apply(payloads)
                return Retry("no answer in time", outcome_unknown=True)
            case {"flapping": _} if self._requests % 2:
                return Retry("connection reset", outcome_unknown=True)
            case {"status": 429, **rest}:
                return Retry("429", wait_s=rest.get("wait_s"), throttled=True)
            case {"status": 401}:
                return Fatal("Customer.io answered 401", "check the key", 401)
            case {"slow": _, "latency_s": latency_s}:
                await asyncio.sleep(latency_s)
        return self._apply(payloads)

    def _phase(self) -> dict[str, Any]:
        now = asyncio.get_running_loop().time() + self.began
        for number, phase in enumerate(self._phases):
            now -= next(
                (v for k, v in phase.items() if k in {"ok", "down", "unknown", "flapping", "slow"}), 0
            )
            now -= phase.get("lasts", 0)
            if now < 0:
                self.phases_met.add(number)
                return phase
        return {}

    def _apply(self, payloads: Sequence[bytes]) -> Verdict:
        calls = [orjson.loads(payload) for payload in payloads]
        bad = {place: Refusal("bad") for place, each in enumerate(calls) if self.is_bad(each["name"])}
        whole = bad and self._how in {"400", "413"}
        for place, each in enumerate(calls):
            if place not in bad and not whole:
                self.applied.append((each["identifiers"]["id"], each["name"]))
        self.refused |= {calls[place]["name"] for place in bad}
        if not bad:
            return DELIVERED
        first = next(iter(bad.values()))
        verdicts: dict[str, Verdict] = {
            "207": PartlyDelivered(bad),
            "repeated": PartlyDelivered(bad),
            "unplaced": PartlyDelivered({}, tuple(bad.values())),
            "400": Refused((first,)),
            "413": TooLarge(first),
        }
        return verdicts[self._how]


class Stage:
    """One scenario: a log that stays, and engines that come and go over it."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.scenario = scenario
        self.log = FakeLog({"events": 2})
        self.receiver = Receiver(scenario)
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

    def play(self) -> None:
        ended = 0.0
        if "stop_at" in self.scenario:
            ended = self._live(0.0, until=self.scenario["stop_at"])
        self._live(ended, until=ended + DRAINED_WITHIN_S)

    def check(self) -> None:
        assert all(self.log.committed[name] == each.high for name, each in self.log.partitions.items())
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
    def _all_fail(self) -> bool:
        return bool(self.scenario.get("all_fail"))

    def _live(self, began: float, until: float) -> float:
        """Run one engine until everything is committed or it is told to stop; return when it ended."""
        loop = VirtualLoop()
        sender = VirtualSender(loop, self.receiver, self._policy())
        self.receiver.began = began
        store = FakeDeadLetters()
        engine = make_engine(
            source=FakeSource(self.log, idle=sender.sleep),
            sender=sender,
            store=store,
            clock=VirtualClock(loop),
            max_items=17,
            failure_limits=FailureLimits(share=None),
        )
        broken_from, broken_until = self.scenario.get("dead_letters_down", (0, 0))

        def is_over() -> bool:
            now = began + loop.time()
            store.broken = "the disk is full" if broken_from <= now < broken_until else None
            self.was_held |= sender.held is not None
            return self._is_drained() or now >= until

        engine.run(is_over)
        for entry in store.safe:
            if entry.reason is Reason.UNDECODABLE:
                self.dead_positions.add(entry.record.position)
            elif entry.source is not None:
                self.dead_names.add(entry.source.name or "")
        return began + loop.time()

    def _policy(self) -> RetryPolicy:
        if "exhausted_s" in self.scenario:
            return RetryPolicy(max_elapsed_s=self.scenario["exhausted_s"], on_exhausted="dead_letter")
        return RetryPolicy()

    def _is_drained(self) -> bool:
        return all(self.log.committed.get(name) == each.high for name, each in self.log.partitions.items())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_the_accounting_closes(scenario: dict[str, Any]) -> None:
    stage = Stage(scenario)
    stage.play()
    stage.check()
