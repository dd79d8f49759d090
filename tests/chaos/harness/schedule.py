"""Faults drawn from a seed: which, on whom, for how long. Each begins, lasts and heals; several overlap."""

import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tests.chaos.harness.arena import BROKERS, PARTITIONS, SESSION_S, TOPIC, Arena

MAX_PARTITIONS = PARTITIONS + 4
_NOTHING: Callable[[], None] = lambda: None  # noqa: E731


class Fault(NamedTuple):
    """`target` is what no other fault may touch meanwhile."""

    kind: str
    target: str
    lasts_s: float
    begin: Callable[[], None]
    heal: Callable[[], None]


class Chaos:
    """Lets faults happen in an arena. The seed decides the faults; the machine decides what they meet."""

    def __init__(self, arena: Arena, seed: int) -> None:
        self._arena = arena
        self._draw = Random(seed)
        self._under_way: list[tuple[float, Fault]] = []
        self.counts: Counter[str] = Counter()

    def reign(self, seconds: float) -> None:
        """Begin a fault every few seconds for so long, then heal everything."""
        end = time.monotonic() + seconds
        next_at = 0.0
        while time.monotonic() < end:
            if time.monotonic() >= next_at:
                self._begin(self._draw_fault())
                next_at = time.monotonic() + self._draw.uniform(1.0, 4.0)
            self._heal_due(time.monotonic())
            for worker in self._arena.workers:
                worker.check()
            time.sleep(0.1)
        while self._under_way:
            self._heal_due(float("inf"))
        for worker in self._arena.workers:
            worker.start()

    def _begin(self, fault: Fault) -> None:
        if fault.target in {other.target for _, other in self._under_way}:
            return
        print(f"{fault.kind} {fault.target} for {fault.lasts_s:.1f} s", flush=True)
        self.counts[fault.kind] += 1
        fault.begin()
        self._under_way.append((time.monotonic() + fault.lasts_s, fault))

    def _heal_due(self, now: float) -> None:
        for due in [each for each in self._under_way if each[0] <= now]:
            self._under_way.remove(due)
            due[1].heal()

    def _draw_fault(self) -> Fault:
        kinds: list[tuple[Callable[[], Fault], int]] = [
            (self._kill, 4),
            (self._terminate, 3),
            (self._freeze, 4),
            (self._add_partition, 1),
            (self._restart_broker, 2),
            (self._cut_from_broker, 4),
            (self._cut_from_sandbox, 3),
            (self._slow_sandbox, 2),
            (self._throttle, 2),
        ]
        [(make, _)] = self._draw.choices(kinds, [weight for _, weight in kinds])
        return make()

    def _kill(self) -> Fault:
        worker = self._draw.choice(self._arena.workers)
        lasts_s = self._draw.uniform(0.2, 12.0)
        return Fault("kill", f"worker {worker.number}", lasts_s, worker.kill, worker.start)

    def _terminate(self) -> Fault:
        worker = self._draw.choice(self._arena.workers)
        lasts_s = self._draw.uniform(2.0, 10.0)
        return Fault("terminate", f"worker {worker.number}", lasts_s, worker.terminate, worker.start)

    def _freeze(self) -> Fault:
        worker = self._draw.choice(self._arena.workers)
        lasts_s = self._draw.uniform(0.5, 2.5) * SESSION_S
        return Fault("freeze", f"worker {worker.number}", lasts_s, worker.freeze, worker.thaw)

    def _add_partition(self) -> Fault:
        """Not while a broker is away: a partition with three replicas needs all three."""
        return Fault("add a partition", "brokers", 5.0, self._grow, _NOTHING)

    def _grow(self) -> None:
        if self._arena.feed.partitions < MAX_PARTITIONS:
            total = self._arena.feed.partitions + 1
            self._arena.kafka.add_partitions(TOPIC, total)
            self._arena.feed.partitions = total

    def _restart_broker(self) -> Fault:
        node = self._draw.choice(self._arena.kafka.nodes)
        kill = self._draw.random() < 0.5
        return Fault(
            "restart a broker",
            "brokers",
            self._draw.uniform(3.0, 8.0),
            lambda: node.stop(kill=kill),
            lambda: self._start_broker(node.start),
        )

    def _start_broker(self, start: Callable[[], None]) -> None:
        """One broker at a time: with two away the topic cannot be written."""
        start()
        coming = Fault("", "brokers", 20.0, _NOTHING, self._arena.kafka.wait_until_up)
        self._under_way.append((time.monotonic() + coming.lasts_s, coming))

    def _cut_from_broker(self) -> Fault:
        worker, broker = self._draw.randrange(len(self._arena.workers)), self._draw.randrange(BROKERS)
        proxy, silent = self._arena.kafka.proxies[worker, broker], self._draw.random() < 0.5
        kind = "silence a broker" if silent else "cut from a broker"
        lasts_s = self._draw.uniform(1.0, 12.0)
        return Fault(kind, f"way {worker}-{broker}", lasts_s, lambda: proxy.cut(silent=silent), proxy.heal)

    def _cut_from_sandbox(self) -> Fault:
        worker, silent = self._draw.randrange(len(self._arena.workers)), self._draw.random() < 0.5
        proxy = self._arena.ways_to_sandbox[worker]
        kind = "silence the sandbox" if silent else "cut from the sandbox"
        lasts_s = self._draw.uniform(0.5, 8.0)
        return Fault(kind, f"way {worker}-sandbox", lasts_s, lambda: proxy.cut(silent=silent), proxy.heal)

    def _slow_sandbox(self) -> Fault:
        sandbox, seconds = self._arena.sandbox, self._draw.uniform(0.1, 1.5)
        lasts_s = self._draw.uniform(2.0, 6.0)
        return Fault(
            "slow the sandbox",
            "sandbox",
            lasts_s,
            lambda: sandbox.set_fault("latency", path="/api", seconds=seconds),
            sandbox.clear_faults,
        )

    def _throttle(self) -> Fault:
        sandbox, share = self._arena.sandbox, self._draw.choice([0.2, 0.6])
        return Fault(
            "answer 429",
            "sandbox",
            self._draw.uniform(1.0, 5.0),
            lambda: sandbox.set_fault("status", path="/api", status=429, retry_after=1, share=share),
            sandbox.clear_faults,
        )
