"""The demo's shop written into a topic, and what a naive reader of that topic expects to happen."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from confluent_kafka import KafkaError, Message, Producer

from pipeline.calls import COUNTED_KINDS, Reason
from pipeline.decode import decode_json
from pipeline.demo.shop import ShopRecord, shop_records
from pipeline.mapping import load_rules
from pipeline.presets_folder import presets_folder
from pipeline.records import Record
from pipeline.translation import Translation, Translator

START_MS = 1_790_000_000_000

CallKey = tuple[str, str]
"""What tells a person's calls apart: the event id, or the content of a call that has none."""


@dataclass(slots=True)
class Expected:
    """What must have happened when all is over."""

    event_ids: set[str] = field(default_factory=set)
    calls_of: dict[str, list[CallKey]] = field(default_factory=dict)
    destroyed: set[str] = field(default_factory=set)
    dead_letters: dict[tuple[int, int], Reason] = field(default_factory=dict)
    calls: int = 0


def write_shop(
    bootstrap_servers: str, topic: str, count: int, *, people: int, seed: int = 1, partitions: int = 6
) -> list[Record]:
    """Write a shop's records by key and return them as they stand in the topic, without gaps."""
    written: list[Record] = []
    producer = Producer({"bootstrap.servers": bootstrap_servers, "enable.idempotence": True, "linger.ms": 5})
    for number, record in enumerate(shop_records(count, seed=seed, start_ms=START_MS, people=people)):
        producer.produce(
            topic,
            key=record.key,
            value=record.value,
            timestamp=record.timestamp_ms,
            # Records without a person are spread evenly; -1 lets the client choose by key.
            partition=-1 if record.key is not None else number % partitions,
            on_delivery=_noting(record, written),
        )
        producer.poll(0)
        if number % 5_000 == 4_999:
            producer.flush(60)
    assert producer.flush(60) == 0
    assert len(written) == count
    return written


def _noting(record: ShopRecord, written: list[Record]) -> Callable[[KafkaError | None, Message], None]:
    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        partition, offset = message.partition(), message.offset()
        written.append(
            Record(
                message.topic() or "",
                partition or 0,
                offset or 0,
                record.key,
                record.value,
                (),
                record.timestamp_ms,
            )
        )

    return note


def expectations(records: Iterable[Record]) -> Expected:
    """Read the records one after the other, as nobody who must be fast would."""
    translator = Translator(load_rules([presets_folder() / "demo.yaml"]), lambda: 4e9, decode=decode_json)
    expected = Expected()
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        translation = translator.translate(record)
        assert isinstance(translation, Translation)
        for failure in translation.failures:
            expected.dead_letters[record.partition, record.offset] = failure.reason
        for call in translation.calls:
            expected.calls += 1
            operation = orjson.loads(call.payload)
            person = operation["identifiers"]["id"]
            expected.calls_of.setdefault(person, []).append(call_key(call.source.kind, operation))
            if call.source.kind in COUNTED_KINDS:
                expected.event_ids.add(operation["id"])
            if call.source.kind == "destroy":
                expected.destroyed.add(person)
    return expected


def call_key(kind: str, operation: Mapping[str, object]) -> CallKey:
    """Return what tells this call from the person's others."""
    content = [operation.get("timestamp"), operation.get("attributes")]
    return str(kind), str(operation.get("id") or orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode())


def calls_in_order(arrivals: Iterable[Mapping[str, Any]]) -> dict[str, list[CallKey]]:
    """Return each person's calls in the order in which they first arrived at a sandbox."""
    arrived: dict[str, dict[CallKey, None]] = {}
    for arrival in arrivals:
        operation = {
            "id": arrival["event_id"],
            "timestamp": arrival["timestamp"],
            "attributes": arrival["data"] if arrival["kind"] == "identify" else None,
        }
        person = str(arrival["person"]).removeprefix("id:")
        arrived.setdefault(person, {})[call_key(arrival["kind"], operation)] = None
    return {person: list(calls) for person, calls in arrived.items()}
