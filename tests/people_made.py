"""Calls about people, in wire form, for tests of what the pipeline knows about them."""

from collections.abc import Mapping
from typing import Any

from pipeline.calls import Call, CallKind, CallSource, Identity, IdentityKind
from pipeline.customerio.operations import encode_operation
from pipeline.delivery.batch import Operation
from pipeline.delivery.lanes import lane_of
from pipeline.delivery.open_record import OpenRecord
from pipeline.kafka.assignment import AssignedPartition
from pipeline.records import Record
from pipeline.translation import Prepared, Translation

COUNTED = {CallKind.TRACK: "e", CallKind.PAGE: "https://shop.example/", CallKind.SCREEN: "home"}
OPTIONS: Mapping[CallKind, Mapping[str, Any]] = {
    CallKind.ADD_DEVICE: {"device": {"token": "t", "platform": "ios"}},
    CallKind.DELETE_DEVICE: {"device": {"token": "t"}},
    CallKind.RELATE: {"relationships": [{"identifiers": {"object_type_id": "1", "object_id": "o"}}]},
    CallKind.RAW: {"request": {"method": "POST", "path": "/v1/send"}},
}


def prepared(
    kind: CallKind,
    person: str | Identity = "u1",
    attributes: Mapping[str, Any] | None = None,
    *,
    time: int | None = 1_000,
    rule: str = "rule",
    secondary: str | None = None,
) -> Prepared:
    """Return a call as the translator makes it, by the real encoder."""
    identity = person if isinstance(person, Identity) else Identity(IdentityKind.ID, person)
    other = None if secondary is None else Identity(IdentityKind.ID, secondary)
    name = COUNTED.get(kind)
    call = Call(
        CallSource(rule, kind, name),
        identity,
        dict(attributes or {}),
        name,
        time if kind in COUNTED or kind is CallKind.IDENTIFY else None,
        secondary=other,
        options=OPTIONS.get(kind, {}),
    )
    payload = encode_operation(call, "01HB4HBDKTFWYZCK01DMRSWRFD" if kind in COUNTED else None)
    assert type(payload) is bytes
    lanes = dict.fromkeys(lane_of(each.lane_key) for each in (identity, other) if each is not None)
    return Prepared(call.source, identity, payload, tuple(lanes), secondary=other)


def operation(call: Prepared, partition: AssignedPartition, offset: int = 0, sequence: int = 0) -> Operation:
    """Return the call on its way."""
    topic, number = partition.topic_partition
    opened = OpenRecord(Record(topic, number, offset), partition, calls=1, weight=len(call.payload))
    return Operation(call.source, call.identity, call.payload, opened, call.lanes, sequence, 0.0, call.single)


class ScriptedTranslator:
    """Gives the calls that a test wants next, whatever the record."""

    def __init__(self) -> None:
        self.calls: tuple[Prepared, ...] = ()

    def translate(self, record: Record) -> Translation:
        return Translation(self.calls, (), matched=True)
