"""A dead letter about a person who was deleted since is not sent without leave: it would bring the person back."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.calls import CallKind, CallSource, Identity, IdentityKind
from pipeline.cli.entry import run_command_line
from pipeline.receipts.receipt import Receipt, hashed_name, plain_name, to_line
from pipeline.records import Position, Record
from tests.unit.deadletters.letters_made import letter, record, write

ADA = "Ada@Shop.example"
KEY = b"a key"
PROFILE = CallSource("profile", CallKind.IDENTIFY)
GONE = CallSource("gone", CallKind.DESTROY)
NOON_MS = 1_790_000_000_000


def receipt(
    person: str, offset: int, *, partition: int = 3, at_ms: int = NOON_MS, hashed: bool = False
) -> Receipt:
    position = Position("events", partition, offset)
    return Receipt(
        CallKind.DESTROY,
        IdentityKind.EMAIL,
        person,
        hashed,
        position,
        "gone",
        at_ms,
        "http://127.0.0.1:9",
        200,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    rules = [
        {"name": "profile", "when": "type == 'profile'", "identify": {"email": "${email}"}},
        {"name": "gone", "when": "type == 'gone'", "destroy": {"email": "${email}"}},
    ]
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump({"version": 1, "rules": rules}))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for number, handler in handlers.items():
        signal.signal(number, handler)


def configure(folder: Path, **sections: Any) -> None:
    settings = {
        "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": "events", "group_id": "g"},
        "customerio": {"site_id": "my-site", "api_key": "my-key", "base_url": "http://127.0.0.1:1"},
        "mapping": {"files": "mapping.yaml"},
        "deadletters": {"file": "dead.jsonl"},
        **sections,
    }
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(settings))


def retry(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run_command_line(["deadletters", "retry", "--dry-run", *arguments]) == 0
    return capsys.readouterr().out


def event(kind: str, offset: int, email: str = ADA) -> Record:
    return record(offset, value={"type": kind, "email": email})


def test_a_dry_run_names_those_whose_deletion_is_a_dead_letter_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(folder)
    write(
        folder / "dead.jsonl",
        letter(event("profile", 1), PROFILE),
        letter(event("profile", 2, "bob@shop.example"), PROFILE),
        letter(event("gone", 5, ADA.lower()), GONE),
        letter(event("profile", 9), PROFILE),
    )
    output = retry(capsys, "--rule", "profile")
    assert output.startswith("3 dead letters; a retry would send 2 of them; calls: 2 identify\n")
    assert (
        "about people who were deleted or suppressed later: 1"
        " (they would be there again; sent only with --include-erased)" in output
    )
    assert "a retry would send 3 of them" in retry(capsys, "--rule", "profile", "--include-erased")


@pytest.mark.parametrize("person", ["plain", "hashed"])
def test_a_dry_run_names_those_whose_deletion_has_a_receipt(
    folder: Path, capsys: pytest.CaptureFixture[str], person: str
) -> None:
    configure(
        folder,
        receipts={
            "file": "receipts.jsonl",
            "person": person,
            "hash_key": KEY.decode() if person == "hashed" else None,
        },
    )
    name = plain_name if person == "plain" else hashed_name(KEY)
    line = to_line(receipt(name(Identity(IdentityKind.EMAIL, ADA)), 5, hashed=person == "hashed"))
    (folder / "receipts.jsonl").write_bytes(line)
    write(folder / "dead.jsonl", letter(event("profile", 1), PROFILE), letter(event("profile", 9), PROFILE))
    document = json.loads(retry(capsys, "--json"))
    assert document == {"dry_run": True, "dead_letters": {"erased": 1, "send": 1}, "calls": {"identify": 1}}
