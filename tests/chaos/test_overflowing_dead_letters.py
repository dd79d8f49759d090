"""Dead letters too large for their topic, on Apache Kafka with its own limit: kept, shown, retried, dismissed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.test_dead_letters import BROKEN_ORDER, FAILED_ORDERS, ORDER, Reading
from tests.kafka.reading import header_list, messages_of
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.dead_letter_stage import START_MS, Stage
from tests.servers.sandbox import SandboxThread

TOPIC, LETTERS = "overflowing-orders", "overflowing-letters"
LARGE_BYTES = 1_500_000
EMAIL = "ada.lovelace@shop.example"


def order(number: int, note: str = "small") -> dict[str, Any]:
    return {
        "type": "order",
        "user": f"u{number}",
        "at": START_MS // 1000,
        "email": EMAIL,
        "total": number,
        "note": note,
    }


def large(number: int) -> dict[str, Any]:
    # Random, since messages are compressed before their size counts.
    return order(number, os.urandom(LARGE_BYTES // 2).hex())


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread() as sandbox:
        yield sandbox


@pytest.mark.kafka
@pytest.mark.full
def test_what_is_too_large_for_the_topic_is_a_dead_letter_like_any_other(
    apache_kafka: ApacheKafka, sandbox: SandboxThread, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apache_kafka.create_topic(TOPIC, 1, max_message_bytes="4000000")
    stage = Stage(apache_kafka, sandbox, sandbox.base_url, tmp_path, TOPIC, LETTERS)
    read = Reading(stage, capsys)
    stage.map(BROKEN_ORDER)
    stage.write(order(0), large(1), order(2), large(3), order(4))
    stage.run()

    sizes = {
        dict(header_list(message))["cio.offset"]: len(message.value() or b"")
        for message in messages_of(apache_kafka.bootstrap_servers, LETTERS)
    }
    assert {offset for offset, size in sizes.items() if size == 0} == {b"1", b"3"}, "pointers hold no value"
    overflow = [json.loads(line) for line in stage.letters.read_bytes().splitlines()]
    assert [entry["offset"] for entry in overflow] == [1, 3]
    assert all(len(entry["value"]) > LARGE_BYTES for entry in overflow)

    assert read.groups() == {FAILED_ORDERS: 5}
    shown = read("show", f"{TOPIC}/0@1", "--reveal")
    assert EMAIL in shown
    assert "order/track:ordered" in shown

    read("dismiss", "--yes", "--position", f"{TOPIC}/0@3")
    assert read.groups() == {FAILED_ORDERS: 4}
    stage.map(ORDER)
    assert "4 dead letters; 4 delivered" in stage.command("retry")
    assert sorted(arrival["data"]["total"] for arrival in sandbox.arrivals()) == [0, 1, 2, 4]
    assert read.groups() == {}
    assert "0 dead letters" in stage.command("retry"), "repeated, it sends nothing"

    stage.letters.unlink()  # as on another machine
    told = read("list")
    assert told.count("its original was too large for the topic; it is passed over") == 2
    assert "no dead letters" in told
