"""G1 and G3 on the engine, whatever happens: nothing open is committed, and nobody's calls overtake each other.

Records arrive, some are poison, some wait for their schema, requests succeed, fail or hang, partitions are revoked,
lost and won back, commits are refused, the dead letters break, the process is killed and starts again. In the end
everything heals, and then every call must have arrived, and every bad one must be in the dead letters.
"""

import os
from collections.abc import Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.backpressure import OpenLimits
from pipeline.calls import Reason
from pipeline.decode import SchemaPending, decode_json
from pipeline.delivery.batch import CONFIRMED, Batch, Confirmed, Failed, Operation, Outcome
from pipeline.engine import EngineOptions
from pipeline.records import Record
from tests.engine_made import P0, P1, Rig, call
from tests.fakes.kafka_log import FakeLog

PERSONS = ("ann", "bob", "cid")


class EngineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.log = FakeLog({"events": 2})
        self.expected: dict[
            str, list[tuple[int, str]]
        ] = {}  # person -> (partition, call name) in record order
        self.needs: dict[tuple[int, int], set[str]] = {}  # position -> names of its calls
        self.settled: set[str] = set()  # names of calls that are delivered or safely dead-lettered
        self.first_arrivals: list[tuple[str, int, str]] = []
        self.arrived: set[str] = set()
        self.behaviour = "confirm"
        self.registry_answers = True
        self.names = 0

    @initialize()
    def the_process_starts(self) -> None:
        self.rig = Rig(
            self.log,
            answer=self.answer,
            latency_s=0.2,
            max_items=3,
            decode=self.decode,
            options=EngineOptions(
                4, OpenLimits(max_records=6, max_span=9), commit_interval_s=0.3, drain_deadline_s=2
            ),
        )
        self.rig.start()

    def decode(self, record: Record) -> Any:
        event = decode_json(record)
        needs_schema = isinstance(event, list) and any(kind == "page" for kind, *_ in event)
        return SchemaPending(1) if needs_schema and not self.registry_answers else event

    def answer(self, batch: Batch) -> Sequence[Outcome] | None:
        if self.behaviour == "hang":
            return None
        outcomes = [self.outcome(operation) for operation in batch.operations]
        for operation, outcome in zip(batch.operations, outcomes, strict=True):
            name, person = operation.source.name or "", operation.identity.value if operation.identity else ""
            if name not in self.arrived:
                self.arrived.add(name)
                self.first_arrivals.append((person, operation.record.record.partition, name))
            if isinstance(outcome, Confirmed):
                self.settled.add(name)
        return outcomes

    def outcome(self, operation: Operation) -> Outcome:
        refused = (operation.source.name or "").startswith("bad")
        return Failed(Reason.REJECTED, "refused") if refused else CONFIRMED

    @rule(
        partition=st.integers(0, 1),
        persons=st.lists(st.sampled_from(PERSONS), max_size=3),
        kind=st.sampled_from(["track", "track", "page", "destroy", "identify", "suppress"]),
        bad=st.booleans(),
    )
    def a_record_is_written(self, partition: int, persons: list[str], kind: str, bad: bool) -> None:
        calls = []
        for person in persons:
            self.names += 1
            name = f"{'bad' if bad else 'good'}-{self.names}"
            calls.append(call(kind, person, name))
            self.expected.setdefault(person, []).append((partition, name))
        record = self.rig.append(*calls, partition=partition)
        self.needs[(partition, record.offset)] = {name for _, _, name in calls}

    @rule(partition=st.integers(0, 1))
    def poison_is_written(self, partition: int) -> None:
        record = self.rig.append_value(b"poison", partition)
        self.needs[(partition, record.offset)] = {str(record.position)}

    @rule(partition=st.integers(0, 1))
    def a_gap_is_left(self, partition: int) -> None:
        self.log.append_gap("events", partition)

    @rule(times=st.integers(1, 8))
    def the_engine_goes_round(self, times: int) -> None:
        self.rig.step(times)

    @rule()
    def time_passes(self) -> None:
        self.rig.run_for(1.0)

    @rule(behaviour=st.sampled_from(["confirm", "hang"]))
    def the_receiver_changes(self, behaviour: str) -> None:
        self.behaviour = behaviour

    @rule(answers=st.booleans())
    def the_schema_registry_breaks_or_heals(self, answers: bool) -> None:
        self.registry_answers = answers

    @rule(how=st.sampled_from(["lose", "bounce", "take", "give"]), partition=st.sampled_from([P0, P1]))
    def the_group_rebalances(self, how: str, partition: object) -> None:
        assert partition in (P0, P1)
        {
            "lose": self.rig.source.lose,
            "bounce": self.rig.source.bounce,
            "take": self.log.take_away,
            "give": self.log.give_back,
        }[how](partition)

    @rule()
    def commits_are_refused(self) -> None:
        self.rig.source.refuse_commits("a rebalance is in progress")

    @rule(broken=st.booleans())
    def the_dead_letters_break_or_heal(self, broken: bool) -> None:
        self.rig.dead_letters.broken = "the disk is full" if broken else None

    @rule()
    def the_process_is_killed_and_starts_again(self) -> None:
        self.note_dead_letters()
        self.rig.source.crash()
        self.the_process_starts()

    @precondition(lambda self: not self.rig.source.closed)
    @rule()
    def the_process_is_stopped_and_starts_again(self) -> None:
        self.rig.engine._finish()  # what `run` does when it is told to stop
        self.rig.engine._close()
        self.note_dead_letters()
        self.the_process_starts()

    def note_dead_letters(self) -> None:
        for entry in self.rig.dead_letters.safe:
            self.settled.add((entry.source.name or "") if entry.source else str(entry.record.position))

    @invariant()
    def nothing_open_is_committed(self) -> None:
        self.note_dead_letters()
        for name, offset in self.log.committed.items():
            for (partition, position), calls in self.needs.items():
                if partition == name.partition and position < offset:
                    assert calls <= self.settled, f"{name}@{position} was committed before it was settled"

    @invariant()
    def nobodys_calls_overtake_each_other(self) -> None:
        for person, expected in self.expected.items():
            for partition in (0, 1):
                arrivals = [
                    n for who, where, n in self.first_arrivals if who == person and where == partition
                ]
                assert arrivals == [n for where, n in expected if where == partition][: len(arrivals)]

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        self.behaviour = "confirm"
        self.registry_answers = True
        self.rig.dead_letters.broken = None
        self.log.give_back(P0, P1)
        # Where most records fail, each waits a minute on probation, and six at a time are open.
        deadline = self.rig.clock.monotonic() + 600
        while not self.is_drained() and self.rig.clock.monotonic() < deadline:
            self.rig.step()
        self.nothing_open_is_committed()
        self.nobodys_calls_overtake_each_other()
        assert self.settled >= set().union(*self.needs.values()), "a call was lost"
        assert self.is_drained(), "a partition stands still"

    def is_drained(self) -> bool:
        return all(self.log.committed.get(name, 0) == log.high for name, log in self.log.partitions.items())


TestEngineGuarantees = EngineMachine.TestCase
TestEngineGuarantees.settings = settings(
    max_examples=500 if os.environ.get("CIO_TEST") == "all" else 80, stateful_step_count=40, deadline=None
)
