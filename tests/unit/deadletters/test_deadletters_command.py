"""What the `deadletters` commands say to a person: what there is, what is wrong, and what to do about it."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import yaml

from pipeline.calls import CallKind, Reason
from pipeline.cli import deadletters_store
from pipeline.cli.entry import run_command_line
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.exclusive import exclusive
from pipeline.deadletters.unresolved import Inventory, take_inventory
from tests.unit.deadletters.letters_made import ORDER, SEEN_MS, letter, record, write

Run = Callable[..., str]
EMAIL = "ada@shop.example"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    settings = {
        "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": "events", "group_id": "g"},
        "customerio": {"site_id": "my-site", "api_key": "my-key", "base_url": "http://127.0.0.1:1"},
        "mapping": {"files": "mapping.yaml"},
        "deadletters": {"file": "dead.jsonl"},
    }
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(settings))
    rule = {"name": "order", "track": {"name": "ordered", "id": "${user}"}}
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump({"version": 1, "rules": [rule]}))
    return tmp_path


@pytest.fixture
def letters(folder: Path) -> Path:
    return write(
        folder / "dead.jsonl",
        letter(record(1, value={"user": EMAIL}), field="name", text="the name is not a text"),
        letter(record(2, value={"user": EMAIL}), at_ms=60_000, field="name", text="the name is not a text"),
        letter(record(3, value={"user": EMAIL}), None, reason=Reason.UNDECODABLE, text="no JSON at byte 3"),
    )


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command in the folder; return what it says."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: str, status: int = 0) -> str:
        capsys.readouterr()
        found = run_command_line(["deadletters", *arguments])
        output = "".join(capsys.readouterr())
        assert found == status, output
        return output

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("letters")
def test_list_groups_by_reason_rule_and_field(run: Run) -> None:
    lines = [line.split() for line in run("list").splitlines()]
    assert lines[0] == ["count", "reason", "rule", "field", "first", "seen", "last", "seen", "example"]
    assert lines[1][:4] == ["2", "mapping_error", "order", "name"]
    assert lines[1][4:8] == ["2026-03-14", "09:26:54Z", "2026-03-14", "09:27:54Z"]
    assert " ".join(lines[1][8:]) == "the name is not a text"
    assert lines[2][:4] == ["1", "undecodable", "-", "-"]
    assert lines[-1] == ["3", "dead", "letters"]


@pytest.mark.usefixtures("letters")
def test_list_shows_each_with_its_position(run: Run) -> None:
    lines = run("list", "--each", "--rule", "order").splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["events/3@1", "events/3@2"]
    assert lines[-1] == "2 dead letters"


@pytest.mark.usefixtures("letters")
def test_list_for_programs_is_one_object(run: Run) -> None:
    document = json.loads(run("list", "--json", "--each", "--reason", "undecodable"))
    assert document == {
        "dead_letters": 1,
        "groups": [
            {
                "reason": "undecodable",
                "rule": None,
                "field": None,
                "count": 1,
                "first_seen_ms": SEEN_MS,
                "last_seen_ms": SEEN_MS,
                "example": "no JSON at byte 3",
            }
        ],
        "passed_over": [],
        "each": [
            {
                "topic": "events",
                "partition": 3,
                "offset": 3,
                "reason": "undecodable",
                "rule": None,
                "call": None,
                "field": None,
                "status": None,
                "text": "no JSON at byte 3",
                "times": 1,
                "replay": None,
                "as_new": None,
                "attempts": 0,
                "first_seen_ms": SEEN_MS,
                "last_seen_ms": SEEN_MS,
            }
        ],
    }


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    ("since", "count"),
    [
        ("2026-03-14T09:26:54Z", 3),
        ("2026-03-14T10:27:54+01:00", 1),
        ("2026-03-14T09:27:55Z", 0),
        ("20000d", 3),
    ],
)
def test_times_choose_by_when_a_dead_letter_was_last_seen(run: Run, since: str, count: int) -> None:
    assert json.loads(run("list", "--json", "--since", since))["dead_letters"] == count


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("list", "--since", "yesterday"),
            "'yesterday' is neither a time such as 2026-01-31T08:00:00Z nor a span",
        ),
        (("list", "--until", "2026-01-31T08:00:00"), "a time needs its zone"),
        (("list", "--reason", "bored"), "'bored' is not one of"),
        (
            ("list", "--file", "no.jsonl"),
            "cannot read the dead-letter file no.jsonl: No such file or directory",
        ),
        (("list", "--config", "no.yaml"), "no.yaml"),
        (("list",), "dead.jsonl: No such file or directory; set deadletters.file or give --file"),
        (("show",), "Missing argument"),
        (("retry", "--limit", "0"), "is not in the range"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(run: Run, arguments: tuple[str, ...], text: str) -> None:
    output = " ".join(run(*arguments, status=2).split())
    assert text in output
    assert "Traceback" not in output


@pytest.mark.usefixtures("letters")
def test_a_position_without_a_dead_letter_is_an_error_that_says_where_to_look(run: Run) -> None:
    output = run("show", "events/3@99", status=2)
    assert (
        "there is no unresolved dead letter of a call at events/3@99; `cio-pipeline deadletters list"
        in output
    )


def test_a_line_that_is_none_is_told_with_its_place_and_the_rest_goes_on(run: Run, letters: Path) -> None:
    write(letters, b'{"torn\n', *(b"{}\n" for _ in range(12)))
    output = run("list", "--file", str(letters))
    assert f"{letters}:4: warning: the line is torn, or no JSON; it is passed over" in output
    assert f"{letters}:13: warning: the line is no dead letter; it is passed over" in output
    assert f"{letters}:14" not in output
    assert "3 more are passed over" in output
    assert "3 dead letters" in output


def test_an_empty_file_has_no_dead_letters(run: Run, folder: Path) -> None:
    (folder / "dead.jsonl").touch()
    assert run("list") == run("dismiss") == "no dead letters\n"


def test_several_files_are_read_as_one_and_need_no_configuration(
    run: Run, letters: Path, folder: Path
) -> None:
    other = write(
        folder / "other.jsonl", letter(record(9)), letter(record(1, value={"user": EMAIL}), at_ms=9)
    )
    (folder / "pipeline.yaml").unlink()
    output = run("list", "--file", str(letters), "--file", str(other))
    assert "4 dead letters" in output
    run("dismiss", "--yes", "--position", "events/3@1", "--file", str(letters), "--file", str(other))
    assert "2 dead letters" in run("list", "--file", str(letters))
    assert "1 dead letter\n" in run("list", "--file", str(other))


@pytest.mark.usefixtures("letters")
def test_dismiss_asks_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "confirm", _refuse)
    run("dismiss", status=130)
    assert "3 dead letters" in run("list")
    assert "3 dead letters dismissed" in run("dismiss", "--yes")
    assert "no dead letters" in run("list")


def _refuse(*_: object, **__: object) -> None:
    raise click.Abort


def test_two_retries_of_one_file_are_not_run_at_once(run: Run, letters: Path) -> None:
    with exclusive([letters], "a retry"):
        output = run("retry", status=2)
    assert f"a retry of {letters} is running already; wait for its end" in output


def test_a_retry_reads_nothing_that_another_one_could_still_deliver(
    run: Run, letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses: list[int] = []

    def read_while_another_starts(archive: Archive) -> Inventory:
        found = take_inventory(archive)
        if not statuses:
            statuses.append(-1)
            statuses.append(run_command_line(["deadletters", "retry"]))
        return found

    monkeypatch.setattr(deadletters_store, "take_inventory", read_while_another_starts)
    run("retry", "--position", "events/3@99")
    assert statuses == [-1, 2]


def test_show_tells_what_failed_and_what_a_retry_would_send(run: Run, folder: Path) -> None:
    source = ORDER._replace(name="bad")
    write(
        folder / "dead.jsonl",
        letter(record(1, value={"user": EMAIL}), source, field="name", text="too long", attempts=2),
        letter(record(1, value={"user": EMAIL}), source._replace(rule="gone", kind=CallKind.DESTROY)),
    )
    output = run("show", "events/3@1")
    assert output.splitlines()[0] == "events/3@1"
    assert (
        "order/track:bad: mapping_error\n  too long\n  field      name\n  entries    1\n  requests   2"
        in output
    )
    assert "gone/destroy: mapping_error" in output
    assert "  order/track:ordered  <- a retry sends this" in output
    assert '"user": "(text, 16 characters)"' in output
    assert EMAIL not in output
    assert "gone/destroy" not in run("show", "events/3@1", "--call", "order/track:bad")
    assert "gone/destroy" not in run("show", "events/3@1", "--call", "order/track"), (
        "the name may be left out"
    )


@pytest.mark.usefixtures("letters")
def test_a_dry_run_tells_what_would_be_sent_and_what_not(run: Run) -> None:
    output = run("retry", "--dry-run", "--limit", "2")
    assert output == "2 dead letters; a retry would send 2 of them; calls: 2 track\n"


def test_originals_go_to_standard_output_unless_a_file_is_named(
    letters: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run_command_line(["deadletters", "export", "--file", str(letters)]) == 0
    output, errors = capfdbinary.readouterr()
    assert [json.loads(line)["offset"] for line in output.splitlines()] == [1, 2, 3]
    assert errors == b"3 records written to standard output\n"
