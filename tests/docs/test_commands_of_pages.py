"""The commands in the documents do what the pages say: each is run as it is written."""

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.calls import CallKind, IdentityKind
from pipeline.cli.entry import run_command_line
from pipeline.errors import ExitStatus
from pipeline.receipts.log import ReceiptLog
from pipeline.receipts.receipt import Receipt
from pipeline.records import Position
from tests.servers.dead_letter_stage import START_MS, Stage
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread

DOCS = Path(__file__).parents[2] / "docs"


def commands(page: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = [line for language, block in blocks if not language for line in block.splitlines()]
    assert found
    return found


def run(line: str) -> int:
    return run_command_line(shlex.split(line, comments=True)[1:])


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    with SandboxThread() as sandbox:
        monkeypatch.setenv("CIO_PIPELINE__CUSTOMERIO__SITE_ID", SITE_ID)
        monkeypatch.setenv("CIO_PIPELINE__CUSTOMERIO__API_KEY", API_KEY)
        monkeypatch.setenv("CIO_PIPELINE__CUSTOMERIO__BASE_URL", sandbox.base_url)
        yield sandbox


def test_the_calls_by_hand_of_the_customerio_page(
    sandbox: SandboxThread,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("order.json").write_text('{"items": 3}')
    for line in commands("customerio.md"):
        assert run(line) == ExitStatus.DONE, f"{line}: {capsys.readouterr()}"
    assert sandbox.counts()["calls"] == {"identify": 1, "track": 1, "page": 1, "destroy": 1}
    purchase = next(arrival for arrival in sandbox.arrivals() if arrival["kind"] == "track")
    assert purchase["data"] == {"price": 23.45, "items": 3}


def test_the_commands_of_the_page_about_receipts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    now_ms = int(time.time() * 1000)
    log = ReceiptLog(tmp_path / "receipts.jsonl")
    for person in ("u1", "u2"):
        position = Position("events", 0, 1)
        log.keep(
            [Receipt(CallKind.DESTROY, IdentityKind.ID, person, False, position, "gone", now_ms, "here", 200)]
        )
    log.close()
    settings = {
        "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": ["events"], "group_id": "g"},
        "customerio": {"site_id": "s", "api_key": "k"},
        "receipts": {"file": "receipts.jsonl"},
    }
    Path("pipeline.yaml").write_text(yaml.safe_dump(settings))
    shown = []
    for line in commands("receipts.md"):
        assert run(line) == ExitStatus.DONE, line
        shown.append(capsys.readouterr().out)
    everything, about_one, as_json, as_csv = shown
    assert ("u1" in everything, "u2" in everything) == (True, True)
    assert ("u1" in about_one, "u2" in about_one) == (True, False)
    assert as_json.startswith('{"receipts": [')
    assert as_csv.startswith("call,person_kind,person,")


@pytest.mark.full
def test_the_commands_of_the_page_about_dead_letters(
    embedded_broker: EmbeddedBrokerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with SandboxThread() as sandbox:
        stage = Stage(embedded_broker, sandbox, sandbox.base_url, tmp_path)
        broken = {
            "name": "order",
            "when": "type == 'order'",
            "track": {"name": "ordered", "attributes": {"total": "${multiply(total, note)}"}},
        }
        stage.map(broken)
        at = START_MS // 1000
        stage.write(*({"type": "order", "user": "u1", "at": at, "total": 1, "note": "x"} for _ in range(3)))
        stage.write(b"{torn")
        stage.run()
        stage.map({**broken, "track": {"name": "ordered", "attributes": {"total": "${total}"}}})
        monkeypatch.chdir(tmp_path)
        for line in commands("dead-letters.md"):
            here = line.replace("orders/3@1207", f"{stage.topic}/0@1")
            assert run(here) == ExitStatus.DONE, f"{line}: {capsys.readouterr()}"
        assert sandbox.counts()["calls"] == {"track": 3}
    assert len((tmp_path / "originals.jsonl").read_text().splitlines()) == 1
