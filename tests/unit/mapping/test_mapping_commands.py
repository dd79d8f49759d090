"""`cio-pipeline mapping ...` as a person at the terminal meets it."""

import contextlib
import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.cli.entry import run_command_line

GOOD = """\
version: 1
rules:
  - name: signup
    when: type == 'user.created' && !(bot)
    identify: {id: "${id}", attributes: {plan: "${not_null(plan, 'free')}"}}
  - name: order
    when: type == 'order'
    track: {id: "${id}", name: order, attributes: {tier: "${if(total > 5, 'gold', 'standard')}"}}
tests:
  - name: a signup
    event: {type: user.created, id: u1}
    expect: [{call: identify, id: u1, timestamp: 1893456000, attributes: {plan: free}}]
  - name: an order
    event: {type: order, id: u1, total: 9}
    expect: [{call: track, id: u1, name: order, timestamp: 1893456000, attributes: {tier: gold}}]
"""


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def cio(*arguments: str, stdin: str = "", folder: Path | None = None) -> Done:
    """Run a command in this process, with streams of its own."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            contextlib.chdir(folder or "."),
        ):
            status = run_command_line(["mapping", *arguments])
    finally:
        sys.stdin = before
    return Done(status, out.getvalue(), err.getvalue())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(GOOD)
    return path


def test_tests_that_pass_are_counted_and_gaps_in_coverage_named(file: Path) -> None:
    done = cio("test", str(file))
    assert done.returncode == 0
    assert (
        done.stdout
        == f"{file}:8:61: not reached: if() else in rule 'order'\n2 passed, 0 failed; coverage 75%\n"
    )


def test_too_little_coverage_fails(file: Path) -> None:
    assert cio("test", str(file), "--min-coverage", "75").returncode == 0
    done = cio("test", str(file), "--min-coverage", "76")
    assert (done.returncode, done.stderr) == (1, "coverage is below 76%\n")


def test_a_test_that_fails_shows_the_difference_and_writes_it_for_machines(file: Path) -> None:
    file.write_text(GOOD.replace("plan: free}}]", "plan: pro}}]"))
    report = file.with_suffix(".xml")
    done = cio("test", str(file), "--junit", str(report))
    assert done.returncode == 1
    assert f"{file}:10:11: failed: a signup" in done.stdout
    assert '    -     "plan": "pro"\n    +     "plan": "free"\n' in done.stdout
    assert "1 passed, 1 failed" in done.stdout
    suite = ElementTree.fromstring(report.read_text())[0]
    assert suite.attrib == {"name": str(file), "tests": "2", "failures": "1", "errors": "0"}
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["a signup"]


def test_failures_that_a_test_did_not_expect_are_told_without_values(file: Path) -> None:
    file.write_text(GOOD.replace("id: u1, total: 9}", "id: [secret], total: 9}"))
    done = cio("test", str(file))
    assert (
        "expected 0 failures, there are 1:\n      invalid_identity: order/track:order: id is neither"
        in done.stdout
    )
    assert "secret" not in done.stdout


def test_lint_is_silent_about_good_files(file: Path) -> None:
    done = cio("lint", str(file), "--strict")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 errors, 0 warnings\n")


def test_lint_shows_every_problem_with_line_and_caret(file: Path) -> None:
    file.write_text(GOOD.replace("!(bot)", "!bot.x").replace("if(total", "iff(total"))
    done = cio("lint", str(file))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == (
        f"{file}:4:37: error narrow-not: '!' takes only the next name: "
        "put what it negates in parentheses, as in !(a.b)"
    )
    assert lines[1:3] == ["    when: type == 'user.created' && !bot.x", " " * 36 + "^"]
    assert lines[3] == f"{file}:8:61: error unknown-function: unknown function iff(): did you mean 'if'?"
    assert done.stderr == "2 errors, 0 warnings\n"


def test_lint_speaks_github_and_json(file: Path) -> None:
    file.write_text(GOOD.replace("when: type == 'order'", "when: typ(e)"))
    text = "unknown function typ(): did you mean 'type'?"
    assert cio("lint", str(file), "--format", "github").stdout == (
        f"::error file={file},line=7,col=11,title=unknown-function::{text}\n"
    )
    assert json.loads(cio("lint", str(file), "--format", "json").stdout) == {
        "file": str(file),
        "line": 7,
        "column": 11,
        "level": "error",
        "code": "unknown-function",
        "text": text,
    }


def test_warnings_fail_only_where_they_are_taken_for_errors(file: Path) -> None:
    file.write_text(GOOD.split("  - name: an order", maxsplit=1)[0])
    assert cio("lint", str(file)).returncode == 0
    done = cio("lint", str(file), "--strict")
    assert done.returncode == 1
    assert "warning no-test: no test makes rule 'order' match" in done.stdout


def test_lint_against_an_older_file_tells_which_ids_of_events_change(file: Path) -> None:
    old = file.with_name("old.yaml")
    old.write_text(GOOD)
    file.write_text(GOOD.replace("name: order", "name: purchase"))
    done = cio("lint", str(file), "--against", str(old))
    assert done.returncode == 0
    assert "warning rule-added: rule 'purchase' is new" in done.stdout
    assert "warning rule-removed: rule 'order' is gone" in done.stdout


def test_apply_writes_calls_and_tells_bad_lines_apart(file: Path) -> None:
    events = '{"type": "order", "id": "u1", "total": 1}\n\nnope\n{"type": "order"}\n{"type": "x"}\n'
    done = cio("apply", str(file), stdin=events)
    assert done.returncode == 1
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(call["call"], call["id"], call["attributes"]) for call in calls] == [
        ("track", "u1", {"tier": "standard"})
    ]
    assert "stdin:3: error: not JSON" in done.stderr
    assert "stdin:4: no_identity: order/track:order: track needs a person" in done.stderr


def test_apply_shows_the_very_requests(file: Path) -> None:
    done = cio("apply", str(file), "--http", stdin='{"type": "order", "id": "u1", "total": 1}\n')
    request = json.loads(done.stdout)
    assert (request["method"], request["path"]) == ("POST", "/api/v2/batch")
    operation = request["body"]["batch"][0]
    assert (operation["action"], operation["name"], operation["identifiers"]) == (
        "event",
        "order",
        {"id": "u1"},
    )
    assert len(operation["id"]) == 26


def test_apply_shows_a_raw_call_and_a_large_event_as_requests_of_their_own(file: Path) -> None:
    file.write_text(
        "version: 1\nrules:\n  - name: r\n    calls:\n"
        "      - track: {id: u1, name: big, attributes: {text: '${text}'}}\n"
        "      - raw: {method: PUT, path: /v1/things/7, body: {a: 1}}\n"
        "      - track: {id: u1, name: small}\n"
    )
    done = cio("apply", str(file), "--http", stdin=json.dumps({"text": "x" * 40_000}))
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["method"], each["path"]) for each in shown] == [
        ("POST", "/api/v2/batch"),
        ("POST", "/api/v1/customers/u1/events"),
        ("PUT", "/api/v1/things/7"),
    ]
    assert [operation["name"] for operation in shown[0]["body"]["batch"]] == ["small"]
    assert shown[2]["body"] == {"a": 1}


def test_explain_tells_which_rules_matched_and_why_the_others_did_not(file: Path) -> None:
    event = file.with_name("e.json")
    event.write_text('{"type": "user.created", "id": "u1", "bot": true}')
    done = cio("explain", str(file), str(event))
    assert done.returncode == 0
    assert done.stdout == (
        "rule signup: not matched\n"
        "    type == 'user.created' = true\n"
        "    !(bot) = false\n"
        "rule order: not matched\n"
        "    type == 'order' = false\n"
        "calls: 0\n"
        "no rule matched\n"
    )
    event.write_text('{"type": "order", "id": "u1", "total": "9"}')
    assert (
        "attributes.tier: ${if(total > 5, 'gold', 'standard')} = \"standard\""
        in cio("explain", str(file), str(event)).stdout
    )


def test_explain_shows_the_values_for_each_element_of_a_fan_out(file: Path) -> None:
    file.write_text(
        "version: 1\nrules:\n  - name: lines\n    for_each: items\n    key: ${item().sku}\n"
        "    track: {id: '${id}', name: bought,\n"
        "      attributes: {line: '${add(index(), 1)}', note: '${upper(item().note)}'}}\n"
    )
    event = file.with_name("e.json")
    event.write_text('{"id": "u1", "items": [{"sku": "A"}, {"sku": "B", "note": 5}]}')
    assert cio("explain", str(file), str(event)).stdout.splitlines()[:17] == [
        "rule lines: matched",
        '  for each of items = [{"sku": "A"}, {"sku": "B", "note": 5}]',
        '  element 0 = {"sku": "A"}',
        '    key: ${item().sku} = "A"',
        "  track",
        '    id: ${id} = "u1"',
        '    name: "bought"',
        "    attributes.line: ${add(index(), 1)} = 1",
        "    attributes.note: ${upper(item().note)} = null",
        '  element 1 = {"sku": "B", "note": 5}',
        '    key: ${item().sku} = "B"',
        "  track",
        '    id: ${id} = "u1"',
        '    name: "bought"',
        "    attributes.line: ${add(index(), 1)} = 2",
        "    attributes.note: ${upper(item().note)} = error: upper() takes a string as argument 1, not a number",
        "calls: 1",
    ]
    event.write_text(json.dumps({"id": "u1", "items": [{"sku": str(n)} for n in range(25)]}))
    assert "  element 19 = " in (many := cio("explain", str(file), str(event)).stdout)
    assert "  element 20 = " not in many
    assert "  and 5 more elements\n" in many
    event.write_text('{"id": "u1", "items": 7}')
    assert (
        "  for each of items = 7\ncalls: 0\nfailure mapping_error"
        in cio("explain", str(file), str(event)).stdout
    )


def test_explain_prints_the_generated_source(file: Path) -> None:
    source = cio("explain", str(file), "--python").stdout
    compile(source, "rules", "exec")
    assert "def apply(root, record, run):" in source


def test_the_schema_knows_every_key_of_a_file() -> None:
    schema = json.loads(cio("schema").stdout)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert set(schema["properties"]) == {"version", "unmatched", "defaults", "rules", "tests"}
    assert "from" in schema["definitions"]["Event"]["properties"]
    assert "$defs" not in json.dumps(schema)


def test_new_writes_a_file_that_lints_and_passes_its_tests(tmp_path: Path) -> None:
    events = [
        {
            "event": "Signed Up",
            "userId": "u1",
            "sentAt": "2026-03-14T09:26:53Z",
            "traits": {"email": "a@b.co", "is ok?": True},
        },
        {
            "event": "Order: big",
            "userId": 2,
            "sentAt": "2026-03-14T09:26:53Z",
            "order": {"id": "o'1", "total": 5},
        },
        {"event": "User Deleted", "userId": "u1", "sentAt": "2026-03-14T09:26:53Z"},
        {"event": "Order: big", "userId": 3, "sentAt": "2026-03-14T09:26:53Z", "order": {"id": 7}},
    ]
    sample, written = tmp_path / "events.jsonl", tmp_path / "first.yaml"
    sample.write_text("\n".join(map(json.dumps, events)))
    assert cio("new", "--from", str(sample), "--output", str(written)).returncode == 0
    text = written.read_text()
    assert "id: ${userId} # in 4 of 4 events" in text
    assert "timestamp: ${sentAt} # in 4 of 4 events, and reads as a time" in text
    assert "email: ${lower(traits.email)} # in 1 of 4 events" in text
    assert text.index("Order: big") < text.index("Signed Up")
    done = cio("test", str(written), "--min-coverage", "100")
    assert (done.returncode, done.stdout) == (0, "3 passed, 0 failed; coverage 100%\n")
    assert cio("lint", str(written), "--strict").returncode == 0
    assert "is there already" in cio("new", "--from", str(sample), "--output", str(written)).stderr


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["test", "no-such-file.yaml"], 2, "does not exist"),
        (["lint", "."], 1, "the folder has no mapping file (*.yaml)"),
        (["test", "."], 2, "the folder has no mapping file (*.yaml)"),
        (["explain"], 2, "Missing argument 'MAPPING'"),
        (["new"], 2, "either --from FILE or --from-topic TOPIC"),
        (["new", "--from", "-", "--from-topic", "t"], 2, "either --from FILE or --from-topic TOPIC"),
        (["new", "--from", "-"], 1, "there is no JSON object among the 0 events of stdin"),
        (["new", "--from-topic", "t"], 2, "pipeline.yaml: error: there is no such file; write one with"),
        (["tset"], 2, "No such command 'tset'"),
    ],
)
def test_a_mistake_at_the_terminal_gets_a_sentence(
    arguments: list[str], status: int, text: str, tmp_path: Path
) -> None:
    done = cio(*arguments, folder=tmp_path)
    assert done.returncode == status
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["test", "m.yaml", "--junit", "none/x"], ["new", "--from", "m.jsonl", "--output", "none/x"]]
)
def test_a_file_that_cannot_be_written_is_named(file: Path, arguments: list[str]) -> None:
    (file.parent / "m.jsonl").write_text('{"type": "order", "id": "u1"}\n')
    done = cio(*arguments, folder=file.parent)
    assert done.returncode == 2
    assert done.stderr == "Error: cannot write none/x: No such file or directory\n"


def test_a_broken_file_is_all_its_problems_and_no_traceback(file: Path) -> None:
    file.write_text(GOOD.replace("identify:", "identfy:").replace("type == 'order'", "lowr(x)"))
    done = cio("apply", str(file), stdin="{}")
    assert done.returncode == 2
    assert f"{file}:5:5: error: unknown key 'identfy': did you mean 'identify'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_commands_run_as_a_process_too(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "mapping", "lint", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 errors, 0 warnings\n")
