"""Dead letters from end to end: a real run leaves them, the mapping is mended, a retry delivers each exactly once."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.entry import run_command_line
from tests.servers.dead_letter_stage import START_MS, Stage
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import wait_until
from tests.servers.sandbox import SandboxThread

EMAIL = "ada.lovelace@shop.example"
AT = START_MS // 1000
ORDERS, PEOPLE = 400, 80
IS_ORDER = "type == 'order'"
BROKEN_ORDER = {
    "name": "order",
    "when": IS_ORDER,
    "track": {"name": "ordered", "attributes": {"total": "${multiply(total, note)}"}},
}
ORDER = {**BROKEN_ORDER, "track": {"name": "ordered", "attributes": {"total": "${total}"}}}
PROFILE = {"name": "profile", "when": IS_ORDER, "identify": {"attributes": {"email": "${email}"}}}
BROKEN_GONE = {"name": "gone", "when": "type == 'gone'", "destroy": {"id": "${abs(user)}"}}
GONE = {**BROKEN_GONE, "destroy": {}}
TORN = b'{"type": "order", "user": "ada.lov'
BINARY = b"\xff\x00"

FAILED_ORDERS = ("mapping_error", "order", "attributes.total")
FAILED_GONE = ("mapping_error", "gone", "id")
UNDECODABLE = ("undecodable", None, None)


def order(number: int) -> dict[str, Any]:
    return {
        "type": "order",
        "user": f"u{number % PEOPLE}",
        "at": AT + number,
        "email": EMAIL,
        "password": "hunter2",
        "total": number,
        "note": f"for {EMAIL}",
    }


@pytest.fixture(scope="module")
def ran(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path_factory: pytest.TempPathFactory
) -> Stage:
    """One real run of a mapping that is broken; what it left is copied for each test."""
    stage = Stage(embedded_broker, sandbox, sandbox.base_url, tmp_path_factory.mktemp("ran"))
    stage.map(PROFILE, BROKEN_ORDER, BROKEN_GONE)
    stage.write(*(order(number) for number in range(ORDERS)))
    stage.write({"type": "gone", "user": "u1", "at": AT}, TORN)
    stage.write(BINARY, headers=[("trace", EMAIL.encode()), ("bytes", b"\xfe")])
    stage.run()
    assert sandbox.counts()["calls"] == {"identify": ORDERS}
    return stage


@pytest.fixture
def stage(ran: Stage, tmp_path: Path) -> Stage:
    ran.sandbox.clear_faults()
    ran.sandbox.reset()
    stage = ran.copy(tmp_path)
    stage.map(PROFILE, ORDER, GONE)
    return stage


class Reading:
    """The commands that send nothing, in this process."""

    def __init__(self, stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
        self._stage, self._capsys = stage, capsys

    def __call__(self, *arguments: str, status: int = 0) -> str:
        self._capsys.readouterr()
        found = run_command_line(["deadletters", *arguments, "--config", str(self._stage.configuration)])
        output = "".join(self._capsys.readouterr())
        assert found == status, output
        return output

    def groups(self) -> dict[tuple[str, str | None, str | None], int]:
        """Return how many dead letters there are of each reason, rule and field."""
        groups = json.loads(self("list", "--json"))["groups"]
        return {(group["reason"], group["rule"], group["field"]): group["count"] for group in groups}


@pytest.fixture
def read(stage: Stage, capsys: pytest.CaptureFixture[str]) -> Reading:
    return Reading(stage, capsys)


def totals_by_person(stage: Stage) -> dict[str, list[int]]:
    totals: dict[str, list[int]] = {}
    for arrival in stage.sandbox.arrivals():
        totals.setdefault(arrival["person"], []).append(arrival["data"]["total"])
    return totals


def test_a_mended_mapping_and_a_retry_deliver_each_failed_call_exactly_once(
    stage: Stage, read: Reading
) -> None:
    assert read.groups() == {FAILED_ORDERS: ORDERS, FAILED_GONE: 1, UNDECODABLE: 2}
    assert json.loads(read("retry", "--dry-run", "--include-erased", "--rule", "order", "--json"))[
        "calls"
    ] == {"track": ORDERS}
    assert stage.sandbox.counts()["calls"] == {}, "a dry run sends nothing"
    output = stage.command("retry", "--include-erased", "--rule", "order")
    assert f"{ORDERS} dead letters; {ORDERS} delivered; {ORDERS} calls confirmed" in output
    assert stage.sandbox.counts()["calls"] == {"track": ORDERS}, "only the failed calls are sent"
    assert list(stage.sandbox.event_ids().values()) == [1] * ORDERS
    assert read.groups() == {FAILED_GONE: 1, UNDECODABLE: 2}
    totals = totals_by_person(stage)
    assert len(totals) == PEOPLE
    assert all(each == sorted(each) for each in totals.values()), "a person's events are out of order"
    assert "0 dead letters" in stage.command("retry", "--include-erased", "--rule", "order"), (
        "repeated, it sends nothing"
    )
    assert stage.sandbox.counts()["events_counted"] == ORDERS


@pytest.mark.full
def test_a_retried_event_has_the_id_that_the_pipeline_gives_it(stage: Stage) -> None:
    stage.command("retry", "--include-erased", "--rule", "order", "--limit", "30")
    retried = set(stage.sandbox.event_ids())
    assert len(retried) == 30
    stage.run()  # another group: it reads everything, with the mended mapping
    assert retried <= set(stage.sandbox.event_ids())
    assert stage.sandbox.counts()["events_counted"] == ORDERS


@pytest.mark.full
def test_an_interrupted_retry_is_repeated_and_counts_nothing_twice(stage: Stage, read: Reading) -> None:
    sandbox = stage.sandbox
    sandbox.set_fault("latency", path="/api", seconds=0.3)
    with stage.start("retry", "--include-erased", "--rule", "order") as retry:
        wait_until(lambda: sandbox.counts()["events_counted"] > 0, "some delivered")
        retry.send_signal(signal.SIGINT)
        output, errors = retry.communicate(timeout=30)
        assert retry.returncode == 128 + signal.SIGINT, errors
    assert "not reached: " in output
    counted = sandbox.counts()["events_counted"]
    assert 0 < counted < ORDERS
    assert read.groups()[FAILED_ORDERS] == ORDERS - counted, (
        "what was delivered is resolved, and nothing else"
    )
    with stage.start("retry", "--include-erased", "--rule", "order") as retry:
        wait_until(lambda: sandbox.counts()["events_counted"] > counted, "more delivered")
        retry.kill()
        retry.communicate(timeout=30)
    assert sandbox.counts()["events_counted"] < ORDERS
    sandbox.clear_faults()
    stage.command("retry", "--include-erased", "--rule", "order")
    assert FAILED_ORDERS not in read.groups()
    assert sandbox.counts()["events_counted"] == len(sandbox.event_ids()) == ORDERS


@pytest.mark.full
def test_calls_that_cannot_be_undone_need_permission(stage: Stage, read: Reading) -> None:
    output = stage.command("retry", "--rule", "gone", status=1)
    assert "irreversible: 1 (sent only with --allow-irreversible)" in output
    assert stage.sandbox.counts()["calls"] == {}
    stage.command("retry", "--rule", "gone", "--allow-irreversible")
    assert stage.sandbox.counts()["calls"] == {"destroy": 1}
    assert FAILED_GONE not in read.groups()


@pytest.mark.full
def test_what_fails_again_stays_with_the_new_reason(stage: Stage, read: Reading) -> None:
    stage.sandbox.set_fault("items", indexes=[0], path="/api/v2/batch")
    position = f"{stage.topic}/0@7"
    output = stage.command("retry", "--position", position, status=1)
    assert "failing again: 1 (" in output
    (record,) = json.loads(read("show", position, "--json"))["records"]
    (letter,) = record["dead_letters"]
    assert (letter["reason"], letter["times"], letter["attempts"], letter["status"]) == (
        "rejected",
        2,
        1,
        207,
    )
    stage.sandbox.clear_faults()
    stage.command("retry", "--position", position)
    assert stage.sandbox.counts()["events_counted"] == 1
    assert "no unresolved dead letter" in read("show", position, status=2)


@pytest.mark.full
def test_wrong_credentials_end_a_retry_with_the_reason_and_change_nothing(stage: Stage) -> None:
    before = stage.letters.read_bytes()
    output = stage.command("retry", status=4, CIO_PIPELINE__CUSTOMERIO__API_KEY="wrong")
    assert (
        "Error: the retry stopped: Customer.io refuses the credentials (status 401): check the Site" in output
    )
    assert stage.sandbox.counts()["calls"] == {}
    assert stage.letters.read_bytes().count(b'"resolves"') == before.count(b'"resolves"') == 0


@pytest.mark.full
def test_an_outage_is_waited_for(stage: Stage, read: Reading) -> None:
    stage.sandbox.set_fault("status", status=503, times=3)
    stage.command("retry", "--include-erased", "--rule", "order")
    assert stage.sandbox.counts()["events_counted"] == ORDERS
    assert FAILED_ORDERS not in read.groups()


@pytest.mark.full
def test_a_pipeline_may_write_to_the_file_while_letters_are_resolved(stage: Stage, read: Reading) -> None:
    stage.map(PROFILE, BROKEN_ORDER, BROKEN_GONE)
    with stage.running() as pipeline:  # another group: every letter is written once more
        while not stage.is_drained():
            read("dismiss", "--yes")
        pipeline.stop()
    read("dismiss", "--yes")
    found = json.loads(read("list", "--json"))
    assert (found["dead_letters"], found["passed_over"]) == (0, [])
    written = [json.loads(line) for line in stage.letters.read_bytes().splitlines()]
    assert sum("reason" in line for line in written) == 2 * (ORDERS + 3)


def test_personal_data_is_hidden_unless_asked_for_and_secrets_always(stage: Stage, read: Reading) -> None:
    with_header = f"{stage.topic}/0@{ORDERS + 2}"
    torn = f"{stage.topic}/0@{ORDERS + 1}"
    position = f"{stage.topic}/0@0"
    commands = [("list",), ("list", "--each"), ("list", "--json", "--each"), ("retry", "--dry-run")]
    commands += [
        ("show", each, *json) for each in (position, torn, with_header) for json in ((), ("--json",))
    ]
    for arguments in commands:
        output = read(*arguments).lower()
        for hidden in (EMAIL, "ada", "lovelace", "hunter2", "test-key"):
            assert hidden not in output, arguments
    revealed = read("show", position, "--reveal")
    assert EMAIL in revealed
    assert "hunter2" not in revealed
    assert "order/track:ordered: mapping_error" in revealed
    assert "ada.lov" in read("show", torn, "--reveal")
    assert EMAIL in read("show", with_header, "--reveal")


@pytest.mark.full
def test_originals_are_exported_whole_and_each_once(stage: Stage, read: Reading) -> None:
    path = stage.folder / "originals.jsonl"
    read("export", "--output", str(path))
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["offset"] for record in records] == list(range(ORDERS + 3))
    first, binary = records[0], records[-1]
    assert json.loads(first["value"]) == order(0)
    assert (first["topic"], first["partition"]) == (stage.topic, 0)
    assert (first["key"], first["timestamp_ms"]) == ("u0", START_MS)
    assert binary["value"] == {"base64": "/wA="}
    assert binary["headers"] == [["trace", EMAIL], ["bytes", {"base64": "/g=="}]]
    assert path.stat().st_mode & 0o777 == 0o600
    assert "exists already; name a new file" in read("export", "--output", str(path), status=2)


@pytest.mark.full
def test_a_dead_letter_topic_is_read_and_resolved_like_a_file(
    embedded_broker: EmbeddedBrokerProcess,
    sandbox: SandboxThread,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sandbox.reset()
    stage = Stage(embedded_broker, sandbox, sandbox.base_url, tmp_path, dead_letter_topic="letters-in-kafka")
    read = Reading(stage, capsys)
    stage.map(BROKEN_ORDER)
    stage.write(*(order(number) for number in range(50)), TORN)
    stage.write(order(50), headers=[("cio.topic", b"of the original"), ("bytes", b"\xfe")])
    stage.run()
    assert read.groups() == {FAILED_ORDERS: 51, UNDECODABLE: 1}
    stage.map(ORDER)
    assert f"{EMAIL}" in read("show", f"{stage.topic}/0@0", "--reveal")
    output = stage.command("retry", status=1)
    assert "52 dead letters; 51 delivered" in output
    assert sandbox.counts()["events_counted"] == 51
    assert read.groups() == {UNDECODABLE: 1}
    read("export", "--output", str(tmp_path / "left.jsonl"))
    assert json.loads((tmp_path / "left.jsonl").read_text())["value"] == TORN.decode()
    read("dismiss", "--yes")
    assert read.groups() == {}
    assert stage.letters.read_bytes() == b"", "nothing was too large for the topic"
