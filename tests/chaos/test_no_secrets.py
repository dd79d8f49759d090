"""No secret and no e-mail address in logs, metrics, the status or what is said about a dead letter (G9).

Everything goes wrong here that makes the pipeline talk, with debug logs on: refused calls, refused credentials, an
outage, answers of every odd shape, some of which repeat what was sent, broken records, a kill.
"""

from base64 import b64encode
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.cli.entry import run_command_line
from pipeline.config import load_settings
from pipeline.kafka.dead_letter_message import PREFIX
from pipeline.records import Record
from tests.chaos.test_killed_pipeline import calls_at, is_drained
from tests.kafka.reading import header_list, messages_of
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxProcess
from tests.servers.shop_topic import write_shop

PARTITIONS = 6
SASL_PASSWORD = "a-password-of-kafka"
ECHOED = "grace.hopper@shop.example"
CREDENTIALS = b64encode(f"{SITE_ID}:{API_KEY}".encode()).decode()
ORIGINAL = frozenset({"key", "value", "headers", "answer"})
"""The fields of a dead letter that hold what the record and the server said; all others are metadata."""
ECHO = f'{{"errors": [{{"message": "{ECHOED} with Basic {CREDENTIALS} is bad", "field": "email"}}]}}'
PAGE = f"<html>Log in, {ECHOED} ({CREDENTIALS})</html>"
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 400, "body": ECHO, "share": 0.3, "times": 60},
    {"kind": "status", "status": 413, "body": ECHO, "times": 2, "after": 8},
    {"kind": "status", "status": 401, "body": ECHO, "times": 4, "after": 10},
    {"kind": "status", "status": 200, "body": PAGE, "times": 2, "after": 16},
    {"kind": "status", "status": 503, "body": PAGE, "times": 3, "after": 20},
    {"kind": "status", "status": 404, "body": ECHO, "times": 2, "after": 25},
    {"kind": "status", "status": 302, "location": f"http://{SITE_ID}:{API_KEY}@127.0.0.1:9/", "times": 2},
    {"kind": "rate_limit", "requests_per_second": 5, "retry_after": 1, "times": 2},
    {"kind": "reset_before", "share": 0.2, "times": 3},
    {"kind": "reset_after", "share": 0.2, "times": 3},
    {"kind": "truncated", "share": 0.2, "times": 3},
    {"kind": "broken_json", "share": 0.2, "times": 3},
)
ITEMS = {"kind": "items", "indexes": [0], "share": 0.3, "times": 8}
REFUSALS: dict[str, Any] = {"kind": "status", "status": 400, "body": ECHO, "times": 80}
"""Refusals in a row, more than it takes to narrow every batch in flight down to a single call, which is given up."""

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


def in_file(letters: Path) -> tuple[str, str]:
    """Return the metadata of dead letters in a file, and their originals."""
    entries = [orjson.loads(line) for line in letters.read_bytes().splitlines()]
    assert any(entry.keys() >= ORIGINAL for entry in entries)
    metadata = [{name: value for name, value in entry.items() if name not in ORIGINAL} for entry in entries]
    originals = [{name: entry.get(name) for name in ORIGINAL} for entry in entries]
    return orjson.dumps(metadata).decode(), orjson.dumps(originals).decode()


def in_topic(bootstrap_servers: str, topic: str) -> tuple[str, str]:
    """Return the metadata of dead letters in a topic, which are headers, and their originals."""
    metadata, originals = "", ""
    for message in messages_of(bootstrap_servers, topic):
        originals += (message.value() or b"").decode(errors="replace")
        for name, value in header_list(message):
            text = f"{name}: {(value or b'').decode(errors='replace')}\n"
            if name.startswith(PREFIX) and name != f"{PREFIX}answer":
                metadata += text
            else:
                originals += text
    return metadata, originals


def found(needles: Iterable[str], haystack: str) -> list[str]:
    """Return what is there, whatever the case of its letters, plain or as JSON writes it."""
    text = haystack.casefold()
    return [
        needle for needle in needles if needle.casefold() in text or ascii(needle)[1:-1].casefold() in text
    ]


def what_commands_say(configuration: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is told of the dead letters when nobody asks for personal data."""
    capsys.readouterr()
    for arguments in (["list", "--each"], ["list", "--json", "--each"], ["retry", "--dry-run"]):
        assert run_command_line(["deadletters", *arguments, "--config", str(configuration)]) == 0
    return "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("api", "in_kafka"),
    [
        ("v2", False),
        pytest.param("v2", True, marks=pytest.mark.full),
        pytest.param("v1", True, marks=pytest.mark.full),
    ],
)
def test_neither_secrets_nor_people_show_in_what_the_pipeline_says(
    embedded_broker: EmbeddedBrokerProcess,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    api: str,
    in_kafka: bool,
) -> None:
    broker, topic = embedded_broker.bootstrap_servers, f"secrets-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    letters = f"{topic}-letters" if in_kafka else None
    if letters is not None:
        embedded_broker.create_topic(letters, 2)
    records = write_shop(broker, topic, 1_000 if api == "v2" else 600, people=200)
    people = email_addresses(records)
    needles = [SITE_ID, API_KEY, CREDENTIALS, SASL_PASSWORD, ECHOED, *people]
    said: dict[str, str] = {}
    with SandboxProcess() as sandbox:
        faults = (*FAULTS, ITEMS) if api == "v2" else FAULTS
        for fault in faults:
            sandbox.set_fault(path=f"/api/{api}", **fault)
        configuration = write_configuration(
            tmp_path,
            bootstrap_servers=broker,
            topic=topic,
            base_url=sandbox.base_url,
            kafka={"properties": {"sasl.password": SASL_PASSWORD, "debug": "consumer,cgrp,topic"}},
            customerio={"api": api},
            deadletters={"topic": letters},
            delivery={
                "commit_interval_seconds": 0.3,
                "linger_milliseconds": 5,
                "batch_max_items": 10,
                "max_in_flight_requests": 2,
                "retry": {"initial_backoff_seconds": 0.02, "max_backoff_seconds": 0.2},
            },
        )
        assert load_settings(configuration, {}).logs.level == "debug"
        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(lambda: calls_at(sandbox) > 100, "some calls delivered", 120)
            pipeline.kill()
            said["the logs of a killed pipeline"] = pipeline.output
        sandbox.set_fault(path=f"/api/{api}", **REFUSALS)

        def is_over() -> bool:
            for path in ("/metrics", "/api/status", "/readyz", "/healthz", "/"):
                said[path] = said.get(path, "") + pipeline.get(path).text
            return is_drained(broker, "test-group", topic)

        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(is_over, "drained", 120)
            pipeline.stop()
            said["the logs"] = pipeline.output
        events = {line["event"] for line in pipeline.logs}
        assert "dead_letter" in events, "debug logs are off"
        logs = said["the logs"] + said["the logs of a killed pipeline"]
        assert "delivery_holds" in logs
        assert "delivery_fails" in logs
        assert [fault for fault in sandbox.faults() if not fault["struck"]] == []
        sent = {arrival["data"].get("email") for arrival in sandbox.arrivals()}
        assert sent & {address.lower() for address in people}, "no address was ever in a call"
    metadata, originals = (
        in_file(tmp_path / "dead-letters.jsonl") if letters is None else in_topic(broker, letters)
    )
    said["the dead letters' metadata"] = metadata
    said["what commands say"] = what_commands_say(configuration, capsys)
    assert found(people, originals), "no dead letter holds an address, so that its metadata proves nothing"
    assert found([ECHOED], originals), "no answer that repeats an address came to the dead letters"
    assert {place: found(needles, text) for place, text in said.items()} == {place: [] for place in said}
