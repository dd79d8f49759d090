"""The requests of a bill against the lanes that really make them, and what metadata may hold."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource, Identity, IdentityKind
from pipeline.delivery.batch import Operation
from pipeline.delivery.lanes import Lanes, lane_of
from pipeline.delivery.open_record import OpenRecord
from pipeline.kafka.assignment import AssignedPartition
from pipeline.kafka.replay_progress import MAX_METADATA_BYTES, Mark, to_metadata
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record
from pipeline.replay.requests import RequestEstimate
from pipeline.translation import Prepared

KINDS = st.sampled_from([CallKind.TRACK, CallKind.IDENTIFY, CallKind.DESTROY])
CALLS = st.lists(st.tuples(KINDS, st.sampled_from("abcdef"), st.integers(1, 300)), max_size=60)


def prepared(kind: CallKind, person: str, size: int) -> Prepared:
    identity = Identity(IdentityKind.ID, person)
    return Prepared(CallSource("rule", kind), identity, b"x" * size, (lane_of(identity.lane_key),))


def requests_of(calls: list[Prepared], *, at_once: int, max_items: int, max_bytes: int) -> int:
    """Send these calls through the lanes, so many read at a time, as the engine does when nothing is slow."""
    lanes = Lanes(max_bytes=max_bytes, max_items=max_items, linger_s=0.0)
    requests, sequence = 0, 0
    record = Record("t", 0, 0)
    for first in range(0, len(calls), at_once):
        for call in calls[first : first + at_once]:
            sequence += 1
            opened = OpenRecord(record, AssignedPartition(record.topic_partition), calls=1, weight=0)
            lanes.add(
                Operation(
                    call.source, call.identity, call.payload, opened, call.lanes, sequence, 0.0, call.single
                )
            )
        while len(lanes):
            flying = []
            while operations := lanes.take(0.0, flush=True):
                flying.append(operations)
            requests += len(flying)
            for operations in flying:
                lanes.release(operations)
    return requests


@settings(max_examples=150)
@given(calls=CALLS, max_items=st.integers(1, 12), max_bytes=st.integers(400, 900))
def test_the_lanes_need_as_many_requests_as_the_range_of_the_bill_says(
    calls: list[tuple[CallKind, str, int]], max_items: int, max_bytes: int
) -> None:
    made = [prepared(*call) for call in calls]
    estimate = RequestEstimate(max_bytes=max_bytes, max_items=max_items)
    estimate.note(0, made)
    estimate.send()
    needed = requests_of(made, at_once=len(made) or 1, max_items=max_items, max_bytes=max_bytes)
    assert estimate.least <= needed <= estimate.most


def test_metadata_fits_into_what_brokers_take() -> None:
    mark = Mark(
        "f" * 32, 10**13, "h" * 255 + "/pid:[4026531836]/4194304", 10**13, "b" * 16, "o" * 16, "m" * 16, 10**4
    )
    assert len(to_metadata(mark, ReplayRange(10**18, 10**18, 10**13, 10**13))) < MAX_METADATA_BYTES / 4
