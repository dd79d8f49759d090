"""Operations for tests of what carries them."""

from itertools import count

from pipeline.calls import CallKind, CallSource, Identity, IdentityKind
from pipeline.delivery.batch import Operation
from pipeline.delivery.open_record import OpenRecord
from pipeline.kafka.assignment import AssignedPartition
from pipeline.records import Record, TopicPartition

PARTITION = AssignedPartition(TopicPartition("events", 0))

_sequence = count()


def make_operation(
    lane: int = 0,
    *,
    kind: CallKind = CallKind.TRACK,
    size: int = 100,
    queued_at: float = 0.0,
    sequence: int | None = None,
    partition: AssignedPartition = PARTITION,
    name: str = "e",
    also: int | None = None,
    single: bool = False,
) -> Operation:
    """Return an operation whose payload has `size` bytes; `also` is a second lane that it waits in."""
    number = next(_sequence) if sequence is None else sequence
    record = Record(partition.topic_partition.topic, partition.topic_partition.partition, number)
    return Operation(
        source=CallSource("rule", kind, name),
        identity=Identity(IdentityKind.ID, f"person-{lane}"),
        payload=b"x" * size,
        record=OpenRecord(record, partition, calls=1, weight=size),
        lanes=(lane,) if also in {None, lane} else (lane, also),
        sequence=number,
        queued_at=queued_at,
        single=single,
    )
