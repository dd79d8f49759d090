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
PEOPLE = ("u1", "u2", "u3")


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


steps = st.lists(
    st.one_of(
        st.tuples(st.just("identify"), st.sampled_from(PEOPLE), st.sampled_from(["pro", "free"])),
        st.tuples(st.just("refused"), st.sampled_from(PEOPLE), st.sampled_from(["pro", "free"])),
        st.tuples(st.just("destroy"), st.sampled_from(PEOPLE), st.just("")),
        st.tuples(st.just("elsewhere"), st.sampled_from(PEOPLE), st.sampled_from(["pro", "free"])),
        st.tuples(st.just("lost"), st.just(""), st.just("")),
        st.tuples(st.just("land"), st.just(""), st.just("")),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps, st.integers(1, 3))
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

    for what, person, plan in steps:
        clock.sleep(1)
        match what:
            case "land":
                land()
            case "lost":
                land()
                ours = memory()
            case "elsewhere":  # another member has the partition for a while
                land()
                partition.alive = False
                call = prepared(CallKind.IDENTIFY, person, {"plan": plan}, time=int(clock.now()))
                without.take(call)
                with_memory.take(call)
                clock.sleep(1)
                partition = AssignedPartition(TopicPartition("events", 0))
            case _:
                kind = CallKind.DESTROY if what == "destroy" else CallKind.IDENTIFY
                call = prepared(kind, person, {"plan": plan}, time=int(clock.now()))
                if what != "refused":
                    without.take(call)
                translator.calls = (call,)
                translation = ours.translate(Record("events", 0, 0))
                on_the_way += [(kept, what != "refused") for kept in translation.calls]  # type: ignore[union-attr]
    land()
    assert with_memory.profiles == without.profiles
