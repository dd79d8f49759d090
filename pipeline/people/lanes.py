"""Lanes that hold calls of people who are not identified yet, and let them go behind the identify.

Of one person everything goes in record order (G3), whatever is held. What follows a held call waits behind it, also
what would not have to wait for an identify. Only an identify goes ahead: it is what they wait for. A call that even an
identify must not go ahead of, because it ends or changes the profile, cannot stand behind what waits for one: it ends
the wait.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.calls import CallKind, Identity, Reason
from pipeline.deadletters.keeper import DeadLetterKeeper
from pipeline.delivery.batch import Operation
from pipeline.delivery.lanes import ALONE_KINDS, Lanes
from pipeline.people.guard import GhostGuard
from pipeline.people.known import KnownPeople
from pipeline.people.names import secondary_of
from pipeline.people.register import name_of

LOOK_EVERY_S = 0.2

_WAIT_ENDING_KINDS = ALONE_KINDS | {CallKind.RAW}  # a raw request may be any of the others


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """What may be held: for how many seconds, how many calls, of how many bytes with their records.

    Calls that wait behind a held one count like it.
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
        self._following: set[int] = set()  # of those held, the ones that need no identify themselves
        self._by_name: dict[bytes, list[Operation]] = {}  # in order; the first never is one that only follows
        self._bytes = 0
        self._look_at = 0.0

    def __len__(self) -> int:
        """See `Lanes.__len__`; what is held waits too."""
        return super().__len__() + len(self._held)

    def add(self, operation: Operation) -> None:
        """See `Lanes.add`."""
        kind, identity = operation.source.kind, operation.identity
        if self._guard.holds(operation.source, identity):
            self._hold(operation)
            return
        if kind in _WAIT_ENDING_KINDS:
            self._end_wait(operation)
        if kind is not CallKind.IDENTIFY and self._is_waited_for(identity):
            self._following.add(operation.sequence)
            self._hold(operation)
            self._let_go(_name_of(operation))  # another worker may have identified the person meanwhile
        else:
            self._send(operation)

    def take(self, now: float, *, flush: bool = False) -> tuple[Operation, ...]:
        """See `Lanes.take`. What has been held for too long is given up first."""
        if self._held and now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._give_up_what_waited(now)
        return super().take(now, flush=flush)

    def discard(self, unwanted: Callable[[Operation], bool]) -> None:
        """See `Lanes.discard`."""
        super().discard(unwanted)
        gone = [each for each in self._held.values() if unwanted(each)]
        for operation in gone:
            self._remove(operation)
        self._people.drop_gone()
        for operation in gone:
            self._let_go(_name_of(operation))

    def _is_waited_for(self, identity: Identity | None) -> bool:
        """Tell whether something of this person is held."""
        return bool(self._held) and identity is not None and name_of(identity) in self._by_name

    def _hold(self, operation: Operation) -> None:
        operation.record.partition.calls_under_way -= 1
        self._held[operation.sequence] = operation
        self._by_name.setdefault(_name_of(operation), []).append(operation)
        self._bytes += _weight(operation)
        while len(self._held) > self._limits.max_calls or self._bytes > self._limits.max_bytes:
            self._give_up(next(iter(self._held.values())), "too much was held")

    def _let_go(self, name: bytes) -> None:
        """Send what is held of a person, in order, up to the first call that still waits for an identify."""
        is_known = self._guard.knows(name)
        while (held := self._by_name.get(name)) and (is_known or held[0].sequence in self._following):
            operation = held[0]
            self._remove(operation)
            operation.record.partition.calls_under_way += 1
            self._send(operation)

    def _send(self, operation: Operation) -> None:
        super().add(operation)
        for name in self._people.take(operation):  # not while it waits: the identify goes ahead of it
            self._let_go(name)

    def _end_wait(self, ending: Operation) -> None:
        """Give up what is held of the people of a call that may go neither ahead of it nor behind an identify."""
        secondary = secondary_of(ending.payload) if ending.source.kind is CallKind.MERGE else None
        for identity in (ending.identity, secondary):
            if identity is not None and self._is_waited_for(identity):
                self._give_up(
                    self._by_name[name_of(identity)][-1], f"the call '{ending.source.kind}' came first"
                )

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
        """Make dead letters of a call and those before it that wait for the identify; what only follows them goes."""
        name = _name_of(operation)
        while operation.sequence in self._held:
            first = self._by_name[name][0]
            self._remove(first)
            self._dead_letters.fail(
                first.record, Reason.NOT_IDENTIFIED, f"{self._guard.why}, and {why}", source=first.source
            )
            self._let_go(name)

    def _remove(self, operation: Operation) -> None:
        name = _name_of(operation)
        del self._held[operation.sequence]
        self._following.discard(operation.sequence)
        self._by_name[name].remove(operation)
        if not self._by_name[name]:
            del self._by_name[name]
        self._bytes -= _weight(operation)


def _name_of(held: Operation) -> bytes:
    assert held.identity is not None
    return name_of(held.identity)


def _weight(operation: Operation) -> int:
    return len(operation.payload) + operation.record.record.size
