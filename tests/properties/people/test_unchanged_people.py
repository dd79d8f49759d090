"""Whatever comes, people end up as they would without the memory; it saves requests and costs nothing else."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import CallKind, Reason
from pipeline.delivery.batch import CONFIRMED, Failed
from pipeline.kafka.assignment import AssignedPartition
from pipeline.people.unchanged import UnchangedIdentifies, UnchangedOptions
from pipeline.records import Record, TopicPartition
from pipeline.translation import Prepared
from tests.fakes.clock import FakeClock
from tests.people_made import ScriptedTranslator, operation, prepared

NOW = 1_773_480_413
PEOPLE = ("u1", "u1", "u1", "u2")


@dataclass
class Workspace:
    """What Customer.io does with identifies and deletions: an older identify is passed over with a 200."""

    people: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)

    def take(self, call: Prepared) -> None:
        operation = orjson.loads(call.payload)
        person = operation["identifiers"]["id"]
        if operation["action"] == "delete":
            self.people.pop(person, None)
            return
        time, attributes = self.people.get(person, (0, {}))
        if operation["timestamp"] >= time:
            self.people[person] = (operation["timestamp"], {**attributes, **operation["attributes"]})

    @property
    def profiles(self) -> dict[str, dict[str, Any]]:
        return {person: attributes for person, (_, attributes) in self.people.items()}


kinds = st.sampled_from(["identify"] * 4 + ["land"] * 3 + ["refused"] * 2 + ["destroy", "elsewhere", "lost"])
steps = st.lists(
    st.tuples(kinds, st.sampled_from(PEOPLE), st.sampled_from(["pro", "free"])), min_size=10, max_size=60
)


@settings(deadline=None, max_examples=200)
@given(steps, st.integers(1, 4))
def test_people_end_up_the_same_with_and_without_the_memory(
    steps: list[tuple[str, str, str]], max_people: int
) -> None:
    clock, translator, left_out = FakeClock(NOW), ScriptedTranslator(), Counter[str]()
    options = UnchangedOptions(max_people=max_people, future_tolerance_s=0.0)

    def memory() -> UnchangedIdentifies:
        return UnchangedIdentifies(translator, options, clock, left_out)

    ours, partition = memory(), AssignedPartition(TopicPartition("events", 0))
    without, with_memory = Workspace(), Workspace()
    on_the_way: list[tuple[Prepared, bool]] = []

    def land() -> None:
        for call, accepted in on_the_way:
            if accepted:
                with_memory.take(call)
            outcome = CONFIRMED if accepted else Failed(Reason.REJECTED, "refused")
            ours.settled(operation(call, partition), outcome)
        on_the_way.clear()
        assert with_memory.profiles == without.profiles

    def begin() -> None:
        """Let one call be confirmed: only what is newer than the partition's beginning can be left out."""
        call = prepared(CallKind.IDENTIFY, "somebody else", time=int(clock.now()))
        translator.calls = (call,)
        ours.translate(Record("events", 0, 0))
        ours.settled(operation(call, partition), CONFIRMED)

    begin()
    for what, person, plan in steps:
        clock.sleep(1)
        match what:
            case "land":
                land()
            case "lost":
                land()
                ours = memory()
                begin()
            case "elsewhere":  # another member has the partition for a while
                land()
                partition.alive = False
                call = prepared(CallKind.IDENTIFY, person, {"plan": plan}, time=int(clock.now()))
                without.take(call)
                with_memory.take(call)
                clock.sleep(1)
                partition = AssignedPartition(TopicPartition("events", 0))
                begin()
            case _:
                kind = CallKind.DESTROY if what == "destroy" else CallKind.IDENTIFY
                call = prepared(kind, person, {"plan": plan}, time=int(clock.now()))
                if what != "refused":
                    without.take(call)
                translator.calls = (call,)
                translation = ours.translate(Record("events", 0, 0))
                on_the_way += [(kept, what != "refused") for kept in translation.calls]  # type: ignore[union-attr]
    land()
