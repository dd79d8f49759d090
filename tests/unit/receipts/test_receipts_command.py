"""`cio-pipeline receipts` and the file that it reads."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
import yaml

from pipeline.calls import CallKind, Identity, IdentityKind
from pipeline.cli.entry import run_command_line
from pipeline.config import load_settings
from pipeline.errors import ConfigurationError, ExitStatus
from pipeline.receipts.log import ReceiptLog, ReceiptsUnavailableError, read_receipts
from pipeline.receipts.receipt import NotAReceiptError, Receipt, hashed_name
from pipeline.records import Position

KEY = "the officer's key"


def receipt(person: str, *, at_ms: int = 1_773_480_413_000, kind: CallKind = CallKind.DESTROY) -> Receipt:
    return Receipt(
        kind,
        IdentityKind.ID,
        person,
        hashed=False,
        position=Position("events", 3, 41),
        rule="gone",
        accepted_ms=at_ms,
        sent_to="https://track.customer.io",
        status=200,
    )


def write(path: Path, *receipts: Receipt) -> Path:
    log = ReceiptLog(path)
    log.keep(receipts)
    log.close()
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = run_command_line(["receipts", *arguments])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_what_was_kept_is_read_back_as_it_was(tmp_path: Path) -> None:
    kept = [receipt("u1"), receipt("zoë", kind=CallKind.SUPPRESS), receipt("line\nbreak")]
    path = write(tmp_path / "receipts.jsonl", *kept)
    assert [found for _, found in read_receipts(path)] == kept
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_line_and_a_foreign_one_are_passed_over_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "receipts.jsonl", receipt("u1"))
    path.write_bytes(b'{"torn": \n{"call": "track"}\n' + path.read_bytes())
    assert [type(found) for _, found in read_receipts(path)] == [NotAReceiptError, NotAReceiptError, Receipt]
    status, out, err = run(capsys, "--file", str(path), "--json")
    assert status == ExitStatus.DONE
    assert len(json.loads(out)["receipts"]) == 1
    assert f"{path}:1: warning: the line is torn, or no JSON; it is passed over" in err


def test_a_receipt_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "receipts.jsonl", receipt("u1"))
    before = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    log = ReceiptLog(path, sync=fail)
    with pytest.raises(ReceiptsUnavailableError, match="No space left"):
        log.keep([receipt("u2")])
    log.close()
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"set receipts\.file to a file"):
        ReceiptLog(tmp_path / "missing" / "receipts.jsonl")


def test_a_person_and_a_time_choose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "r.jsonl", receipt("u1", at_ms=1_000_000), receipt("u1"), receipt("u2")))
    status, out, err = run(capsys, "--file", path, "--person", "u1", "--since", "2026-01-01T00:00:00Z")
    assert status == ExitStatus.DONE
    assert out == (
        "2026-03-14T09:26:53.000Z  destroy   id:u1  events/3@41  accepted with 200 by https://track.customer.io\n"
    )
    assert err == "1 receipts\n"
    assert run(capsys, "--file", path, "--person", "nobody")[0] == ExitStatus.FAILED
    assert run(capsys, "--file", path, "--person", "email:u1")[0] == ExitStatus.FAILED


def test_a_name_that_looks_like_a_formula_is_none_in_a_spreadsheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write(tmp_path / "r.jsonl", receipt('=HYPERLINK("http://evil.example")'), receipt("a,b\nc")))
    status, out, _ = run(capsys, "--file", path, "--csv")
    assert status == ExitStatus.DONE
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["person"] for row in rows] == ['\'=HYPERLINK("http://evil.example")', "a,b\nc"]
    assert rows[0]["offset"] == "41"


def configuration(folder: Path, **receipts: str) -> str:
    path = folder / "pipeline.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": ["events"], "group_id": "g"},
                "customerio": {"site_id": "s", "api_key": "k"},
                "receipts": receipts,
            }
        )
    )
    return str(path)


def test_a_person_is_found_by_a_hashed_name_with_the_key_of_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = hashed_name(KEY.encode())(Identity(IdentityKind.EMAIL, "Ada@Example.com"))
    hashed = Receipt(
        CallKind.DESTROY, IdentityKind.EMAIL, name, True, Position("events", 0, 1), "gone", 1, "here", 200
    )
    write(tmp_path / "receipts.jsonl", hashed, receipt("u1"))
    config = configuration(tmp_path, file="receipts.jsonl", person="hashed", hash_key=KEY)
    status, out, err = run(capsys, "--config", config, "--person", "email:ada@example.com", "--json")
    assert status == ExitStatus.DONE, err
    assert [each["person"] for each in json.loads(out)["receipts"]] == [name]


def test_without_a_file_in_the_settings_the_command_says_what_to_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, "--config", configuration(tmp_path))
    assert status == ExitStatus.USAGE
    assert "'receipts.file' is not set" in err


def test_hashed_names_without_a_key_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "--config", configuration(tmp_path, file="r.jsonl", person="hashed"))
    assert status == ExitStatus.USAGE
    assert "'person' is hashed, which needs a key" in err


def test_receipt_settings_without_a_file_are_said_to_have_no_effect(tmp_path: Path) -> None:
    warnings: list[str] = []
    load_settings(
        Path(configuration(tmp_path, hash_key=KEY)), {}, warn=lambda problem: warnings.append(str(problem))
    )
    assert any("'receipts' has no effect" in warning for warning in warnings)
    assert not any(KEY in warning for warning in warnings)
