"""Lanes that hold calls of people who are not identified yet, and let them go behind the identify."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.calls import Reason
from pipeline.deadletters.keeper import DeadLetterKeeper
from pipeline.delivery.batch import Operation
from pipeline.delivery.lanes import Lanes
from pipeline.people.guard import GhostGuard
from pipeline.people.known import ENDING_KINDS, KnownPeople, can_be_a_ghost
from pipeline.people.register import name_of

LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """What may be held: for how many seconds, how many calls, of how many bytes with their records.

    `max_span` is how many offsets of its partition may be read behind a held record: what is held is not committed, so
    it stretches the partition.
    """

    max_seconds: float = 60.0
    max_calls: int = 5_000
    max_bytes: int = 16 * 1024 * 1024
    max_span: int = 50_000


class HoldingLanes(Lanes):
    """Lanes that keep a call back while the guard says so. What has waited too long becomes a dead letter.

    A call that is held counts as open, so nothing is committed past it, and not as under way, so nobody who stops or
    lets a partition go waits for it: whoever reads the record next holds it again.
    """

    def __init__(
        self,
        guard: GhostGuard,
        people: KnownPeople,
        dead_letters: DeadLetterKeeper,
        limits: HoldLimits,
        **lanes: Any,
    ) -> None:
        super().__init__(**lanes)
        self._guard = guard
        self._people = people
        self._dead_letters = dead_letters
        self._limits = limits
        self._held: OrderedDict[int, Operation] = OrderedDict()
        self._by_name: dict[bytes, list[Operation]] = {}
        self._bytes = 0
        self._look_at = 0.0

    def __len__(self) -> int:
        """See `Lanes.__len__`; what is held waits too."""
        return super().__len__() + len(self._held)

    def add(self, operation: Operation) -> None:
        """See `Lanes.add`."""
        source, identity = operation.source, operation.identity
        if self._guard.holds(source, identity):
            self._hold(operation)
            return
        if source.kind in ENDING_KINDS and identity is not None and can_be_a_ghost(identity):
            for held in self._by_name.get(name_of(identity), [])[:]:
                self._give_up(held, "the person was deleted before an identify came")
        super().add(operation)
        for name in self._people.take(operation):
            self._let_go(name)

    def take(self, now: float, *, flush: bool = False) -> tuple[Operation, ...]:
        """See `Lanes.take`. What has been held for too long is given up first."""
        if self._held and now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._give_up_what_waited(now)
        return super().take(now, flush=flush)

    def discard(self, unwanted: Callable[[Operation], bool]) -> None:
        """See `Lanes.discard`."""
        super().discard(unwanted)
        for operation in [each for each in self._held.values() if unwanted(each)]:
            self._remove(operation)
        self._people.drop_gone()

    def _hold(self, operation: Operation) -> None:
        assert operation.identity is not None
        operation.record.partition.calls_under_way -= 1
        self._held[operation.sequence] = operation
        self._by_name.setdefault(name_of(operation.identity), []).append(operation)
        self._bytes += _weight(operation)
        while len(self._held) > self._limits.max_calls or self._bytes > self._limits.max_bytes:
            self._give_up(next(iter(self._held.values())), "too much was held")

    def _let_go(self, name: bytes) -> None:
        """Send what is held of a person, in order, behind the identify that has just been made."""
        for operation in self._by_name.get(name, [])[:]:
            if not self._guard.holds(operation.source, operation.identity):
                self._remove(operation)
                operation.record.partition.calls_under_way += 1
                super().add(operation)

    def _give_up_what_waited(self, now: float) -> None:
        for operation in list(self._held.values()):
            partition = operation.record.partition
            if now - operation.queued_at >= self._limits.max_seconds:
                self._give_up(operation, f"it was held for {self._limits.max_seconds:g} s")
            elif partition.last_read - operation.record.record.offset >= self._limits.max_span:
                self._give_up(
                    operation, "holding it any longer would have kept its partition from being read"
                )

    def _give_up(self, operation: Operation, why: str) -> None:
        self._remove(operation)
        self._dead_letters.fail(
            operation.record,
            Reason.NOT_IDENTIFIED,
            f"{self._guard.why}, and {why}",
            source=operation.source,
        )

    def _remove(self, operation: Operation) -> None:
        assert operation.identity is not None
        name = name_of(operation.identity)
        del self._held[operation.sequence]
        self._by_name[name].remove(operation)
        if not self._by_name[name]:
            del self._by_name[name]
        self._bytes -= _weight(operation)


def _weight(operation: Operation) -> int:
    return len(operation.payload) + operation.record.record.size
