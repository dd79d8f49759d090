"""Who counts as erased later and who as come back, against a naive look at all records."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource, Identity, IdentityKind
from pipeline.delivery.lanes import lane_of
from pipeline.records import Record
from pipeline.replay.erasures import ERASING_KINDS, Erasures
from pipeline.translation import Prepared, Translation

SIGNS_OF_LIFE = {CallKind.IDENTIFY, CallKind.TRACK}
KINDS = [*sorted(ERASING_KINDS), *sorted(SIGNS_OF_LIFE), CallKind.UNSUPPRESS]


@dataclass(frozen=True, slots=True)
class Told:
    """A record of one call."""

    record: Record
    call: Prepared

    def is_before(self, other: "Told") -> bool:
        if self.record.partition == other.record.partition:
            return self.record.offset < other.record.offset
        return (self.record.timestamp_ms or 0) < (other.record.timestamp_ms or 0)

    def is_about_the_person_of(self, other: "Told") -> bool:
        return self.call.identity == other.call.identity


@st.composite
def stories(draw: st.DrawFn) -> list[Told]:
    """Records of a few partitions in the order in which a reader may get them."""
    story, offsets = [], [0, 0, 0]
    for _ in range(draw(st.integers(0, 12))):
        partition = draw(st.integers(0, 2))
        record = Record("t", partition, offsets[partition], timestamp_ms=draw(st.integers(1, 9)))
        offsets[partition] += draw(st.integers(1, 3))
        identity = Identity(IdentityKind.ID, draw(st.sampled_from("ab")))
        source = CallSource("rule", draw(st.sampled_from(KINDS)))
        story.append(Told(record, Prepared(source, identity, b"{}", (lane_of(identity.lane_key),))))
    return story


@given(story=stories())
def test_erased_later_and_come_back_are_what_a_look_at_all_records_says(story: list[Told]) -> None:
    erasures = Erasures()
    for _ in range(2):  # twice, because a sign of life may be read before the erasure in another partition
        for told in story:
            erasures.note(told.record, Translation((told.call,), matched=True))
    for told in story:
        later = [each for each in story if told.is_before(each) and each.is_about_the_person_of(told)]
        is_erased = any(each.call.source.kind in ERASING_KINDS for each in later)
        assert erasures.erased_after(told.record, told.call) is is_erased
        if told.call.source.kind in ERASING_KINDS:
            is_back = any(each.call.source.kind in SIGNS_OF_LIFE for each in later)
            assert erasures.returned_after(told.record, told.call) is is_back
    assert len(erasures) == len(
        {told.call.identity for told in story if told.call.source.kind in ERASING_KINDS}
    )


def test_a_call_about_nobody_is_never_of_an_erased_person() -> None:
    erasures = Erasures()
    about_nobody = Prepared(CallSource("rule", CallKind.RAW), None, b"{}", (1,))
    gone = Prepared(CallSource("rule", CallKind.DESTROY), Identity(IdentityKind.ID, ""), b"{}", (1,))
    erasures.note(Record("t", 0, 1), Translation((gone, about_nobody), matched=True))
    assert not erasures.erased_after(Record("t", 0, 0), about_nobody)


def test_signs_of_life_are_kept_only_of_people_who_were_erased() -> None:
    erasures = Erasures()
    for number in range(1_000):
        seen = Prepared(CallSource("r", CallKind.TRACK), Identity(IdentityKind.ID, str(number)), b"{}", (1,))
        erasures.note(Record("t", 0, number), Translation((seen,), matched=True))
    assert len(erasures) == 0
    assert not erasures._alive
