"""The records and the rules of the throughput benchmark: 360 bytes of JSON, 20,000 people, 50 rules by index."""

import random

import orjson
from confluent_kafka import Producer

PARTITIONS = 12
PEOPLE = 20_000
RULES = 50
RECORD_BYTES = 360
START_MS = 1_790_000_000_000

MAPPING = "version: 1\nrules:\n" + "".join(
    f"""\
  - name: rule-{number}
    when: type == 'type.{number}'
    track:
      id: ${{user.id}}
      name: event_{number}
      timestamp: ${{occurred_at}}
      attributes:
        order_id: ${{properties.order_id}}
        total: ${{properties.total}}
        currency: ${{properties.currency}}
        plan: ${{user.plan}}
"""
    for number in range(RULES)
)


def record_value(draw: random.Random, number: int, kind: str, person: str) -> bytes:
    """Return an event of exactly `RECORD_BYTES` bytes."""
    event = {
        "type": kind,
        "occurred_at": START_MS // 1000 + number // 100,
        "user": {"id": person, "plan": draw.choice(("free", "team", "business"))},
        "properties": {
            "order_id": f"o_{number:08}",
            "total": draw.randrange(100, 99_999) / 100,
            "currency": draw.choice(("EUR", "USD", "GBP")),
        },
        "library": "web 4.12.0",
        "padding": "",
    }
    padding = "x" * (RECORD_BYTES - len(orjson.dumps(event)))
    return orjson.dumps({**event, "padding": padding})


def fill(bootstrap_servers: str, topic: str, records: int, matching_share: float) -> None:
    """Write so many records, of which this share matches a rule."""
    draw = random.Random(1)
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "linger.ms": 50, "batch.num.messages": 10_000}
    )
    for number in range(records):
        person = f"u_{draw.randrange(PEOPLE)}"
        matches = draw.random() < matching_share
        kind = f"type.{draw.randrange(RULES)}" if matches else f"other.{draw.randrange(RULES)}"
        value = record_value(draw, number, kind, person)
        producer.produce(topic, value, key=person, timestamp=START_MS + number)
        if number % 20_000 == 19_999:
            producer.flush(60)
    assert producer.flush(60) == 0
