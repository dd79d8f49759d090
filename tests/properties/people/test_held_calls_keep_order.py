"""What goes to Customer.io of one person is in record order, whatever is held; only an identify goes ahead."""

from collections import Counter
from itertools import combinations
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import CallKind, Identity, IdentityKind
from pipeline.deadletters.keeper import DeadLetterKeeper, FailureLimits
from pipeline.delivery.batch import CONFIRMED, Operation
from pipeline.kafka.assignment import AssignedPartition
from pipeline.people.guard import GhostGuard, GuardOptions
from pipeline.people.known import ENDING_KINDS, MAKING_KINDS, KnownPeople
from pipeline.people.lanes import HoldingLanes, HoldLimits
from pipeline.people.names import secondary_of
from pipeline.people.register import Register, name_of
from pipeline.records import TopicPartition
from pipeline.tally import Tally
from pipeline.unidentified import Unidentified
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadLetters
from tests.people_made import ScriptedTranslator, operation, prepared

PEOPLE = ("u1", "u1", "u1", "u2")
LIMITS = HoldLimits(max_seconds=60.0, max_calls=6, max_span=15)
NOT_OVERTAKEN = {
    CallKind.IDENTIFY,
    CallKind.DESTROY,
    CallKind.SUPPRESS,
    CallKind.UNSUPPRESS,
    CallKind.MERGE,
    CallKind.RAW,
}
"""What an identify does not go ahead of: what it does would be undone, or not be done."""


class ByRule:
    """The rule "sends" has that policy of its own; the settings hold."""

    def of(self, rule: str) -> Unidentified:
        return Unidentified.SEND if rule == "sends" else Unidentified.HOLD_UNTIL_IDENTIFIED


class Worker:
    """The lanes with a real guard; everything that they give is confirmed at once."""

    def __init__(self, *, needs_email: bool) -> None:
        self.clock = FakeClock()
        self.letters = FakeDeadLetters()
        self.people = KnownPeople(Register(Path(":memory:"), 1_000), self.clock.now)
        options = GuardOptions(needs_email=needs_email)
        self.guard = GhostGuard(ScriptedTranslator(), self.people, ByRule(), options, Counter())  # type: ignore[arg-type]
        self.lanes = HoldingLanes(
            self.guard,
            self.people,
            DeadLetterKeeper(self.letters, FailureLimits(share=None, window=1_000_000), self.clock, Tally()),
            LIMITS,
            max_bytes=475_000,
            max_items=4,
            linger_s=0.05,
        )
        self.partitions = [AssignedPartition(TopicPartition("events", number)) for number in range(2)]
        self.made: list[Operation] = []
        self.sent: list[Operation] = []

    def add(self, kind: CallKind, person: str, rule: str, with_email: bool, partition: int) -> None:
        call = prepared(
            kind,
            person,
            {"email": f"{person}@b.c"} if kind is CallKind.IDENTIFY and with_email else None,
            rule=rule,
            secondary=next(name for name in PEOPLE if name != person) if kind is CallKind.MERGE else None,
        )
        number = len(self.made)
        made = operation(call, self.partitions[partition], number, number)._replace(
            queued_at=self.clock.monotonic()
        )
        made.record.partition.last_read = number
        made.record.partition.calls_under_way += 1
        self.made.append(made)
        self.lanes.add(made)

    def deliver(self) -> None:
        """Send what is due, all of it."""
        while batch := self.lanes.take(self.clock.monotonic(), flush=True):
            self.sent.extend(batch)
            self.lanes.release(batch)
            for each in batch:
                each.record.partition.calls_under_way -= 1
                self.people.settled(each, CONFIRMED)
        assert len(self.lanes) <= LIMITS.max_calls, "what waits behind a held call counts as held"

    def lose(self, partition: int) -> None:
        gone = self.partitions[partition]
        gone.alive = False
        self.lanes.discard(lambda each: not each.record.partition.alive)
        self.partitions[partition] = AssignedPartition(gone.topic_partition)

    @property
    def given_up(self) -> list[Operation]:
        self.letters.flush()
        return [self.made[letter.record.offset] for letter in self.letters.safe]


def ended_by(operation: Operation) -> Identity | None:
    """Return whose profile a call ends."""
    if operation.kind is CallKind.MERGE:
        return secondary_of(operation.payload)
    return operation.identity if operation.kind in ENDING_KINDS else None


def people_of(operation: Operation) -> set[Identity | None]:
    return {operation.identity, ended_by(operation)} - {None}


def identified(sent: list[Operation], *, needs_email: bool) -> set[Identity | None]:
    """Return whom these calls leave identified."""
    people: set[Identity | None] = set()
    for each in sent:
        if each.kind is CallKind.IDENTIFY and (b"email" in each.payload or not needs_email):
            people.add(each.identity)
        people.discard(ended_by(each))
    return people


often = [CallKind.IDENTIFY, CallKind.TRACK, CallKind.ADD_DEVICE, CallKind.DELETE_DEVICE]
steps = st.lists(
    st.tuples(
        st.sampled_from([*CallKind, *often * 4, *["deliver"] * 3, "wait", "lose"]),
        st.sampled_from(PEOPLE),
        st.sampled_from(["holds", "holds", "sends"]),
        st.booleans(),
        st.sampled_from([0, 0, 0, 1]),
    ),
    min_size=3,
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(steps, st.booleans())
def test_whatever_is_held_each_persons_calls_go_in_record_order(
    steps: list[tuple[CallKind | str, str, str, bool, int]], needs_email: bool
) -> None:
    worker = Worker(needs_email=needs_email)
    for what, person, rule, with_email, partition in steps:
        match what:
            case CallKind():
                worker.add(what, person, rule, with_email, partition)
            case "deliver":
                worker.deliver()
            case "wait":
                worker.clock.sleep(25)
                worker.deliver()
            case "lose":
                worker.lose(partition)
    worker.clock.sleep(LIMITS.max_seconds)
    worker.deliver()

    gone = [each.sequence for each in (*worker.sent, *worker.given_up)]
    assert len(gone) == len(set(gone)), "a call went twice"
    ours = [each for each in worker.made if each.record.partition.alive]
    assert {each.sequence for each in ours} <= set(gone), "a call is stuck"
    assert len(worker.lanes) == 0
    assert all(each.record.partition.calls_under_way == 0 for each in ours)
    assert {each.kind for each in worker.given_up} <= MAKING_KINDS
    assert all(each.source.rule == "holds" for each in worker.given_up)
    for first, second in combinations(worker.sent, 2):
        if second.sequence < first.sequence and people_of(first) & people_of(second):
            assert first.kind is CallKind.IDENTIFY, f"{first.kind} overtook {second.kind}"
            assert second.kind not in NOT_OVERTAKEN, f"{first.kind} overtook {second.kind}"
    if all(each.record.partition.alive for each in worker.made):
        known = {each for each in PEOPLE if worker.guard.knows(name_of(Identity(IdentityKind.ID, each)))}
        assert known == {each.value for each in identified(worker.sent, needs_email=needs_email) if each}
