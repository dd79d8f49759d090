"""The same work without any guarantee: consume, parse, one hand-written function, serialise, send.

No rules, no order, no tracking, no retries, no commits: `python -m tests.bench.bare_loop BROKERS TOPIC RECORDS URL`
prints one line of JSON.
"""

import http.client
import json
import resource
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import orjson
from confluent_kafka import Consumer, Message

BATCH_ITEMS = 1_000
HEADERS = {"content-type": "application/json", "authorization": "Basic dGVzdC1zaXRlOnRlc3Qta2V5"}


def call_of(message: Message) -> dict[str, Any] | None:
    """What the fifty rules do, as one who needs nothing else would write it."""
    event = orjson.loads(message.value() or b"null")
    kind = event["type"]
    if not kind.startswith("type."):
        return None
    user, properties = event["user"], event["properties"]
    return {
        "type": "person",
        "action": "event",
        "identifiers": {"id": user["id"]},
        "name": "event_" + kind[5:],
        "id": f"{message.partition()}-{message.offset()}",
        "timestamp": event["occurred_at"],
        "attributes": {
            "order_id": properties["order_id"],
            "total": properties["total"],
            "currency": properties["currency"],
            "plan": user["plan"],
        },
    }


class Wire:
    """Sends batches over one connection, one after the other."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80)
        self.requests = 0
        self.bytes = 0

    def send(self, batch: list[dict[str, Any]]) -> None:
        """Send one batch and read the answer."""
        body = orjson.dumps({"batch": batch})
        self._connection.request("POST", self._path, body, HEADERS)
        response = self._connection.getresponse()
        response.read()
        assert response.status == 200
        self.requests += 1
        self.bytes += len(body)


def run(brokers: str, topic: str, records: int, url: str) -> dict[str, Any]:
    """Read and send so many records; return what it cost."""
    started_s, cpu_s = time.monotonic(), cpu_seconds()
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"bare-{started_s}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "queued.max.messages.kbytes": 32_768,
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.subscribe([topic])
    wire, batch, seen, first_s = Wire(url), [], 0, started_s
    while seen < records:
        messages = consumer.consume(1_000, 0.1)
        if messages and not seen:
            first_s = time.monotonic()
        seen += len(messages)
        for message in messages:
            assert message.error() is None
            call = call_of(message)
            if call is not None:
                batch.append(call)
                if len(batch) == BATCH_ITEMS:
                    wire.send(batch)
                    batch = []
    if batch:
        wire.send(batch)
    taken = {"seconds": time.monotonic() - first_s, "cpu_seconds": cpu_seconds() - cpu_s}
    consumer.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {**taken, "requests": wire.requests, "bytes": wire.bytes, "memory_mb": peak_mb}


def cpu_seconds() -> float:
    """CPU time of this process, with the threads of librdkafka."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])))
