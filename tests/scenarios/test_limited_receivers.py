"""The limits under receivers that limit: scenarios as data, on virtual time."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from pipeline.customerio.verdicts import DELIVERED, Retry, Verdict
from pipeline.delivery.admission import Admission
from pipeline.delivery.concurrency import ConcurrencyLimit
from pipeline.delivery.rate import RateLimit
from tests.fakes.virtual_time import run_virtually

SCENARIOS = yaml.safe_load((Path(__file__).parent / "limited_receivers.yaml").read_text())
MAX_IN_FLIGHT = 16
WINDOW_S = 20.0


@dataclass
class Receiver:
    """Takes so many requests in each second of its own clock and answers 429 to the others."""

    limit_per_s: float = 1.0
    latency_s: float = 0.0
    fails: float = 0.0
    random: Random = field(default_factory=lambda: Random(1))
    second: int = -1
    taken: int = 0
    accepted_at: list[float] = field(default_factory=list)
    throttled_at: list[float] = field(default_factory=list)

    async def answer(self) -> Verdict:
        loop = asyncio.get_running_loop()
        if int(loop.time()) != self.second:
            self.second, self.taken = int(loop.time()), 0
        self.taken += 1
        too_many = self.taken > self.limit_per_s
        await asyncio.sleep(self.latency_s)
        if too_many:
            self.throttled_at.append(loop.time())
            return Retry("429", throttled=True)
        if self.random.random() < self.fails:
            return Retry("503")
        self.accepted_at.append(loop.time())
        return DELIVERED


async def play(scenario: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    admission = Admission(
        RateLimit(scenario["cap_per_s"], monotonic=loop.time), ConcurrencyLimit(MAX_IN_FLIGHT)
    )
    admission.rate.set_share(scenario.get("share", 1.0))
    receiver = Receiver()

    async def client() -> None:
        while True:
            await admission.run(receiver.answer)

    clients = [asyncio.create_task(client()) for _ in range(MAX_IN_FLIGHT)]
    for phase in scenario["phases"]:
        receiver.limit_per_s, receiver.latency_s = phase["limit_per_s"], phase["latency_s"]
        receiver.fails = phase.get("fails", 0.0)
        limits = []
        for _ in range(phase["lasts_s"]):
            await asyncio.sleep(1)
            limits.append(admission.concurrency.limit)
        since = loop.time() - WINDOW_S
        accepted = sum(at >= since for at in receiver.accepted_at)
        throttled = sum(at >= since for at in receiver.throttled_at)
        measured = {
            "rate": accepted / WINDOW_S,
            "throttled_share": throttled / max(1, accepted + throttled),
            "in_flight": sum(limits[-int(WINDOW_S) :]) / WINDOW_S,
        }
        for name in measured.keys() & phase.keys():
            least, most = phase[name]
            assert least <= measured[name] <= most, f"{name} is {measured[name]:.3f} in {phase}"
    for task in clients:
        task.cancel()
    await asyncio.gather(*clients, return_exceptions=True)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_the_limits_settle_where_they_should(scenario: dict[str, Any]) -> None:
    run_virtually(play(scenario))
