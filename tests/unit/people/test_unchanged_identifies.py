"""An identify that says what the last confirmed one said is left out; whatever is in doubt is sent."""

from collections import Counter
from typing import Any

import pytest

from pipeline.calls import CallKind, Identity, IdentityKind, Reason
from pipeline.delivery.batch import ABANDONED, CONFIRMED, Failed, Outcome
from pipeline.kafka.assignment import AssignedPartition
from pipeline.people.unchanged import UnchangedIdentifies, UnchangedOptions
from pipeline.records import Record, TopicPartition
from pipeline.translation import Prepared
from tests.fakes.clock import FakeClock
from tests.people_made import ScriptedTranslator, operation, prepared

P0 = TopicPartition("events", 0)
NOW = 1_773_480_413
PRO, FREE = {"plan": "pro"}, {"plan": "free"}
REFUSED = Failed(Reason.REJECTED, "refused")


class Stage:
    """The memory between a translator that does what it is told and a receiver that answers at once."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.left_out: Counter[str] = Counter()
        self.partition = AssignedPartition(P0)
        self._translator = ScriptedTranslator()
        self.memory = UnchangedIdentifies(
            self._translator,
            UnchangedOptions(**{"future_tolerance_s": 0.0, **options}),
            self.clock,
            self.left_out,
        )

    def make(self, *calls: Prepared) -> tuple[Prepared, ...]:
        """Return what is left of these calls."""
        self._translator.calls = calls
        translation = self.memory.translate(Record("events", 0, 0))
        assert not isinstance(translation, type(None))
        assert translation.matched  # type: ignore[union-attr]
        return translation.calls  # type: ignore[union-attr]

    def settle(self, call: Prepared, outcome: Outcome = CONFIRMED) -> None:
        self.memory.settled(operation(call, self.partition), outcome)

    def send(self, *calls: Prepared, outcome: Outcome = CONFIRMED) -> int:
        """Make calls, settle what is left of them, and return how many those were."""
        kept = self.make(*calls)
        for call in kept:
            self.settle(call, outcome)
        return len(kept)


def identify(attributes: dict[str, Any] = PRO, person: str | Identity = "u1", *, at: int = 10) -> Prepared:
    return prepared(CallKind.IDENTIFY, person, attributes, time=NOW + at)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_identical_identify_with_a_newer_time_is_left_out_and_counted(stage: Stage) -> None:
    assert stage.send(identify(at=10)) == 1
    assert stage.send(identify(at=20)) == 0
    assert stage.send(identify({"plan": "pro"}, at=30)) == 0
    assert stage.left_out == {"unchanged": 2}


def test_the_order_of_attributes_makes_no_difference_and_their_values_do(stage: Stage) -> None:
    assert stage.send(identify({"a": 1, "b": 2})) == 1
    assert stage.send(identify({"b": 2, "a": 1})) == 0
    assert stage.send(identify({"b": 2, "a": "1"})) == 1


def test_nothing_is_left_out_before_the_first_is_confirmed(stage: Stage) -> None:
    first, second = identify(at=10), identify(at=20)
    assert stage.make(first) == (first,)
    assert stage.make(second) == (second,)
    stage.settle(first)
    assert stage.send(identify(at=30)) == 1, "the second is still on its way and may fail"


@pytest.mark.parametrize("outcome", [REFUSED, ABANDONED])
def test_an_identify_that_was_not_confirmed_is_not_remembered(stage: Stage, outcome: Outcome) -> None:
    assert stage.send(identify(at=10), outcome=outcome) == 1
    assert stage.send(identify(at=20)) == 1


def test_back_to_what_was_confirmed_before_is_sent(stage: Stage) -> None:
    assert stage.send(identify(PRO, at=10)) == 1
    assert stage.send(identify(FREE, at=20)) == 1
    assert stage.send(identify(PRO, at=30)) == 1
    waiting = identify(FREE, at=40)
    assert stage.make(waiting) == (waiting,)
    assert stage.send(identify(PRO, at=50)) == 1, "the other one is on its way"


@pytest.mark.parametrize(
    "kind",
    [CallKind.DESTROY, CallKind.SUPPRESS, CallKind.UNSUPPRESS, CallKind.ADD_DEVICE],
)
def test_any_other_write_to_the_person_invalidates(stage: Stage, kind: CallKind) -> None:
    assert stage.send(identify(at=10)) == 1
    assert stage.send(prepared(kind)) == 1
    assert stage.send(identify(at=20)) == 1


def test_a_merge_invalidates_both_people(stage: Stage) -> None:
    for person in ("u1", "u2", "u3"):
        assert stage.send(identify(person=person, at=10)) == 1
    assert stage.send(prepared(CallKind.MERGE, "u1", secondary="u2")) == 1
    assert [stage.send(identify(person=person, at=20)) for person in ("u1", "u2", "u3")] == [1, 1, 0]


def test_an_event_invalidates_nothing(stage: Stage) -> None:
    assert stage.send(identify(at=10)) == 1
    assert stage.send(prepared(CallKind.TRACK)) == 1
    assert stage.send(identify(at=20)) == 0


def test_a_person_is_one_whatever_the_case_of_an_email_address(stage: Stage) -> None:
    upper, lower = Identity(IdentityKind.EMAIL, "A@B.C"), Identity(IdentityKind.EMAIL, "a@b.c")
    assert stage.send(identify(FREE, upper, at=10)) == 1
    assert stage.send(identify(PRO, lower, at=20)) == 1
    assert stage.send(identify(FREE, upper, at=30)) == 1


def test_what_another_member_may_have_changed_meanwhile_is_sent(stage: Stage) -> None:
    assert stage.send(identify(at=10)) == 1
    stage.partition.alive = False
    assert stage.send(identify(at=20)) == 1
    stage.clock.sleep(100)
    stage.partition = AssignedPartition(P0)
    assert stage.send(identify(at=90)) == 1, "whoever had the partition may have sent a newer one"
    assert stage.send(identify(at=110)) == 1
    assert stage.send(identify(at=120)) == 0


def test_an_identify_that_comes_late_is_no_proof_of_what_the_person_has(stage: Stage) -> None:
    assert stage.send(identify(FREE, at=20)) == 1
    assert stage.send(identify(PRO, at=10)) == 1, "Customer.io passes over it with a 200"
    assert stage.send(identify(PRO, at=30)) == 1
    assert stage.send(identify(PRO, at=40)) == 0


def test_a_late_one_is_no_proof_either_when_the_newer_one_was_forgotten() -> None:
    stage = Stage(max_people=1)
    assert stage.send(identify(FREE, at=20)) == 1
    assert stage.send(identify(FREE, "u2", at=25)) == 1, "u1 is forgotten"
    assert stage.send(identify(PRO, at=10)) == 1
    assert stage.send(identify(PRO, at=30)) == 1


def test_after_its_greatest_age_an_unchanged_identify_is_sent_again() -> None:
    stage = Stage(max_age_s=60.0)
    assert stage.send(identify(at=10)) == 1
    stage.clock.sleep(59)
    assert stage.send(identify(at=20)) == 0
    stage.clock.sleep(1)
    assert stage.send(identify(at=30)) == 1
    assert stage.send(identify(at=40)) == 0


def test_the_memory_is_bounded_and_forgets_those_not_seen_for_longest() -> None:
    stage = Stage(max_people=2)
    for person in ("u1", "u2"):
        assert stage.send(identify(person=person, at=10)) == 1
    assert stage.send(identify(person="u1", at=20)) == 0
    assert stage.send(identify(person="u3", at=30)) == 1
    assert len(stage.memory) == 2
    assert stage.send(identify(person="u1", at=40)) == 0
    assert stage.send(identify(person="u2", at=50)) == 1


def test_the_other_calls_of_a_record_are_made_all_the_same(stage: Stage) -> None:
    assert stage.send(identify(at=10)) == 1
    event = prepared(CallKind.TRACK)
    assert stage.make(identify(at=20), event) == (event,)
