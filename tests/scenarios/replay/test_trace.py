"""`cio-pipeline trace`: why did this person not get the mail?"""

from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.hostile import HostileServer, answering
from tests.servers.pipeline import write_configuration
from tests.servers.replay import Done, replay, run_command
from tests.servers.sandbox import SandboxThread

TIME = "2026-03-14T09:26:53Z"
ADA = {"id": "ada", "email": "ada@example.com", "name": "Ada", "plan": "pro"}
PAGE = {"url": "https://shop.example/", "title": "home"}
RECORDS = [
    {"type": "user.signed_up", "occurred_at": TIME, "user": ADA},
    {"type": "page.viewed", "occurred_at": TIME, "user": {"id": "bob"}, "page": PAGE},
    {"type": "heartbeat", "seen": "ada"},
    {"type": "order.placed", "occurred_at": TIME, "user": {"id": "ada"}, "order": {"total": 1, "currency": 5}},
    {"type": "internal.ping"},
]  # fmt: skip


@pytest.fixture(scope="module")
def configuration(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    embedded_broker.create_topic("traced", 1)
    producer = Producer({"bootstrap.servers": embedded_broker.bootstrap_servers, "log_level": 0})
    for number, record in enumerate(RECORDS):
        key = b"ada" if number == 4 else None
        producer.produce("traced", orjson.dumps(record), key, partition=0, timestamp=1_773_480_413_000)
    assert producer.flush(10) == 0
    configuration = write_configuration(
        tmp_path_factory.mktemp("traced"),
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic="traced",
        base_url=sandbox.base_url,
    )
    done = replay(configuration, "--from", "earliest")
    assert done.status == 0, done.errors
    return configuration


def trace(configuration: Path, *arguments: str) -> Done:
    return run_command("trace", "--config", str(configuration), *arguments)


def test_every_record_about_a_person_is_found_with_what_became_of_it(configuration: Path) -> None:
    records = trace(configuration, "ada", "--json").document["records"]
    assert [each["position"] for each in records] == ["traced/0@0", "traced/0@2", "traced/0@3", "traced/0@4"]
    signup, heartbeat, order, ping = records
    assert signup["rules"] == ["signup"]
    assert [call["source"] for call in signup["calls"]] == ["signup/identify", "signup/track:signed_up"]
    assert (heartbeat["outcome"], heartbeat["why"]) == ("no rule matches", "the name stands in it")
    assert "mapping_error" in order["failures"][0]
    assert (ping["outcome"], ping["why"]) == ("dropped by a rule", "its key is the person's name")


def test_the_dead_letters_of_a_record_are_shown_with_the_reason_and_the_replay(configuration: Path) -> None:
    order = trace(configuration, "ada", "--json").document["records"][2]
    (letter,) = order["dead_letters"]
    assert letter.startswith("mapping_error: ")
    assert letter.endswith("because of attributes.currency, 0 requests, in the replay 'traced'")


def test_dead_letters_in_a_topic_are_found_too(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path
) -> None:
    embedded_broker.create_topic("traced-dead", 1)
    elsewhere = write_configuration(
        tmp_path,
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic="traced",
        base_url=sandbox.base_url,
        deadletters={"topic": "traced-dead"},
    )
    before = trace(elsewhere, "ada", "--json").document["records"][2]
    assert before["dead_letters"] == []
    done = replay(elsewhere, "--from", "earliest", "--name", "into-a-topic")
    assert done.status == 0, done.errors
    order = trace(elsewhere, "ada", "--json").document["records"][2]
    assert [letter.rpartition(", ")[2] for letter in order["dead_letters"]] == [
        "in the replay 'into-a-topic'"
    ]
    assert (tmp_path / "dead-letters.jsonl").read_bytes() == b"", (
        "the file is for what is too large for the topic"
    )


def test_the_sandbox_tells_what_became_of_a_call(configuration: Path, sandbox: SandboxThread) -> None:
    signup = trace(configuration, "id:ada", "--json", "--sandbox", sandbox.base_url).document["records"][0]
    assert [call["answer"] for call in signup["calls"]] == ["applied", "applied"]


def test_values_are_hidden_until_somebody_asks(configuration: Path) -> None:
    hidden = trace(configuration, "ada")
    assert "ada@example.com" not in hidden.output
    assert "signup/identify" in hidden.output
    assert "ada@example.com" in trace(configuration, "ada", "--show-data").output


def test_one_record_is_named_by_its_position(configuration: Path, sandbox: SandboxThread) -> None:
    done = trace(configuration, "traced/0@1", "--sandbox", sandbox.base_url)
    assert done.status == 0, done.errors
    assert "traced/0@1" in done.output
    assert "page/page:" in done.output
    assert "applied" in done.output


def test_nobody_is_status_1_and_says_so(configuration: Path) -> None:
    done = trace(configuration, "nobody-of-this-name")
    assert done.status == 1
    assert "There is nothing about nobody-of-this-name in the range." in done.output


def test_a_position_that_is_not_there_is_told_with_what_is(configuration: Path) -> None:
    done = trace(configuration, "traced/0@99")
    assert done.status == 2
    assert "the partition holds offsets 0 to 4" in done.errors


def test_a_sandbox_that_is_not_there_is_one_clear_sentence(configuration: Path) -> None:
    done = trace(configuration, "ada", "--sandbox", "http://127.0.0.1:9")
    assert done.status == 1
    assert "no sandbox answers at http://127.0.0.1:9" in done.errors


def test_what_speaks_no_http_is_no_sandbox(configuration: Path) -> None:
    with HostileServer(answering(b"not HTTP\r\n", stay=True)) as elsewhere:
        done = trace(configuration, "ada", "--sandbox", elsewhere.base_url)
    assert done.status == 1
    assert f"no sandbox answers at {elsewhere.base_url}" in done.errors
