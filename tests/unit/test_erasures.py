"""Who counts as erased later and who as come back: against a naive look at all records, and by receipts."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls import ERASING_KINDS, CallKind, CallSource, Identity, IdentityKind
from pipeline.delivery.lanes import lane_of
from pipeline.erasures import Erasures
from pipeline.receipts.receipt import Receipt, hashed_name, plain_name
from pipeline.records import Position, Record
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
        if told.call.source.kind not in ERASING_KINDS:
            is_erased = any(each.call.source.kind in ERASING_KINDS for each in later)
            assert erasures.erased_after(told.record, told.call) is is_erased
        else:
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


ADA = "Ada@Shop.example"
KEY = b"a key"
PROFILE = CallSource("profile", CallKind.IDENTIFY)
GONE = CallSource("gone", CallKind.DESTROY)
NOON_MS = 1_790_000_000_000


def identify(person: str, source: CallSource = PROFILE) -> Prepared:
    return Prepared(source, Identity(IdentityKind.EMAIL, person), b"{}", (1,))


def written(offset: int, *, partition: int = 3, at_ms: int = NOON_MS) -> Record:
    return Record("events", partition, offset, timestamp_ms=at_ms)


def note(erasures: Erasures, person: str, *, hashed: bool = False) -> None:
    """Take note of a receipt of noon for the record 10 of partition 3."""
    place = Position("events", 3, 10)
    receipt = Receipt(
        CallKind.DESTROY, IdentityKind.EMAIL, person, hashed, place, "gone", NOON_MS, "url", 200
    )
    erasures.note_receipt(receipt.name, receipt.position, receipt.accepted_ms)


def test_within_a_partition_offsets_tell_what_is_later() -> None:
    erasures = Erasures()
    note(erasures, ADA)
    assert erasures.erased_after(written(9, at_ms=NOON_MS + 1), identify(ADA))
    assert not erasures.erased_after(written(11, at_ms=NOON_MS - 1), identify(ADA))


def test_between_partitions_times_tell_what_is_later() -> None:
    erasures = Erasures()
    note(erasures, ADA)
    assert erasures.erased_after(written(99, partition=4, at_ms=NOON_MS - 1), identify(ADA))
    assert not erasures.erased_after(written(1, partition=4, at_ms=NOON_MS + 1), identify(ADA))


def test_a_person_is_known_however_the_address_is_written_and_nobody_else_is() -> None:
    erasures = Erasures()
    note(erasures, ADA)
    assert erasures.erased_after(written(1), identify(ADA.lower()))
    assert not erasures.erased_after(written(1), identify("bob@shop.example"))


def test_a_person_is_known_by_a_hashed_receipt_when_the_key_is() -> None:
    hashed = hashed_name(KEY)(Identity(IdentityKind.EMAIL, ADA))
    for erasures, known in ((Erasures(hashed_name(KEY)), True), (Erasures(plain_name), False)):
        note(erasures, hashed, hashed=True)
        assert erasures.erased_after(written(1), identify(ADA)) is known


def test_a_deletion_itself_is_never_held_back() -> None:
    erasures = Erasures()
    note(erasures, ADA)
    assert not erasures.erased_after(written(1), identify(ADA, GONE))
