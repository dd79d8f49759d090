"""No secret and no e-mail address in logs, metrics, the status or what is said about a dead letter (G9).

Everything goes wrong here that makes the pipeline talk: refused calls, refused credentials, an outage, broken records.
"""

from base64 import b64encode
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from pipeline.records import Record
from tests.chaos.test_killed_pipeline import is_drained
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxProcess
from tests.servers.shop_topic import write_shop

PARTITIONS = 6
SASL_PASSWORD = "a-password-of-kafka"
ORIGINAL = frozenset({"key", "value", "headers", "answer"})
"""The fields of a dead letter that hold what the record and the server said; all others are metadata."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "items", "indexes": [0], "share": 0.3, "times": 8},
    {"kind": "status", "status": 400, "share": 0.3, "times": 30},
    {"kind": "status", "status": 401, "times": 4, "after": 10},
    {"kind": "status", "status": 503, "times": 3, "after": 20},
    {"kind": "reset_after", "share": 0.1, "times": 5},
    {"kind": "status", "status": 302, "location": f"http://{SITE_ID}:{API_KEY}@127.0.0.1:9/", "times": 2},
)

_topics = count(1)


def email_addresses(records: Iterable[Record]) -> set[str]:
    """Return every e-mail address of the shop."""
    addresses = set()
    for record in records:
        try:
            event = orjson.loads(record.value or b"null")
        except orjson.JSONDecodeError:
            continue
        if event and "email" in event.get("user", {}):
            addresses.add(event["user"]["email"])
    return addresses


def metadata(letters: Path) -> str:
    """Return the dead letters without the fields that hold the original."""
    entries = [orjson.loads(line) for line in letters.read_bytes().splitlines()]
    assert any(entry.keys() >= ORIGINAL for entry in entries)
    return "\n".join(
        orjson.dumps({name: value for name, value in entry.items() if name not in ORIGINAL}).decode()
        for entry in entries
    )


def found(needles: Iterable[str], haystack: str) -> list[str]:
    """Return what is there, whatever the case of its letters, plain or as JSON writes it."""
    text = haystack.casefold()
    return [
        needle for needle in needles if needle.casefold() in text or ascii(needle)[1:-1].casefold() in text
    ]


def test_neither_secrets_nor_people_show_in_what_the_pipeline_says(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    broker, topic = embedded_broker.bootstrap_servers, f"secrets-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    records = write_shop(broker, topic, 2_000, people=200)
    people = email_addresses(records)
    credentials = b64encode(f"{SITE_ID}:{API_KEY}".encode()).decode()
    needles = [SITE_ID, API_KEY, credentials, SASL_PASSWORD, *people]
    said: dict[str, str] = {}
    with SandboxProcess() as sandbox:
        for fault in FAULTS:
            sandbox.set_fault(path="/api/v2/batch", **fault)
        configuration = write_configuration(
            tmp_path,
            bootstrap_servers=broker,
            topic=topic,
            base_url=sandbox.base_url,
            kafka={"properties": {"sasl.password": SASL_PASSWORD, "debug": "consumer,cgrp,topic"}},
            delivery={
                "commit_interval_seconds": 0.3,
                "linger_milliseconds": 5,
                "batch_max_items": 40,
                "retry": {"initial_backoff_seconds": 0.02, "max_backoff_seconds": 0.2},
            },
        )

        def is_over() -> bool:
            for path in ("/metrics", "/api/status", "/readyz"):
                said[path] = said.get(path, "") + pipeline.get(path).text
            return is_drained(broker, "test-group", topic)

        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(is_over, "drained", 120)
            pipeline.stop()
            said["the logs"] = pipeline.output
            assert pipeline.logged("dead_letter"), "debug logs are off"
            assert pipeline.logged("delivery_holds")
        assert all(fault["struck"] for fault in sandbox.faults())
        sent = {arrival["data"].get("email") for arrival in sandbox.arrivals()}
        assert sent & {address.lower() for address in people}, "no address was ever in a call"
    said["the dead letters' metadata"] = metadata(tmp_path / "dead-letters.jsonl")
    original = (tmp_path / "dead-letters.jsonl").read_text()
    assert found(people, original), "no dead letter holds an address, so that its metadata proves nothing"
    assert {place: found(needles, text) for place, text in said.items()} == {place: [] for place in said}
