"""What the playground makes of rules and an event, and what rules that are tried out cannot do."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.mapping import MappingLimits
from pipeline.operations.helper_process import HelperDeadlineError, HelperProcess
from pipeline.operations.playground import Ways, try_out, ways_document, ways_of
from pipeline.presets_folder import presets_folder

NOW = 1_780_000_000.0
RULES = """\
version: 1
rules:
  - name: signup
    when: type == 'signup' && user.id
    track: {name: signed up, id: "${user.id}", attributes: {plan: "${plan}"}}
  - name: order
    when: type == 'order'
    track: {name: ordered, id: "${user.id}"}
tests:
  - name: a signup is a track
    event: {type: signup, user: {id: u1}, plan: pro}
    expect: [{call: track, id: u1, name: signed up, attributes: {plan: pro}, timestamp: 1780000000}]
    now: 1780000000
"""
SIGNUP = {"type": "signup", "user": {"id": "u1"}, "plan": "pro"}


def tried(rules: str = RULES, event: object = SIGNUP, **asked: Any) -> dict[str, Any]:
    files = [{"name": "rules.yaml", "text": rules}]
    return try_out({"files": files, "event": json.dumps(event), **asked}, Ways(), NOW)


def test_each_rule_tells_whether_it_matches_and_why_not() -> None:
    signup, order = tried()["outcome"]["rules"]
    assert (signup["name"], signup["verdict"], signup["line"]) == ("signup", "matched", 3)
    assert (order["name"], order["verdict"]) == ("order", "not matched")
    assert [line.strip() for line in order["details"]] == ["type == 'order' = false"]


def test_calls_and_the_very_requests_are_shown() -> None:
    outcome = tried()["outcome"]
    (call,) = outcome["calls"]
    assert (call["call"], call["id"], call["attributes"]) == ("track", "u1", {"plan": "pro"})
    (request,) = outcome["requests"]
    assert (request["method"], request["path"]) == ("POST", "/api/v2/batch")
    assert request["body"]["batch"][0]["name"] == "signed up"


def test_with_v1_each_call_is_a_request() -> None:
    files = [{"name": "r.yaml", "text": RULES}]
    asked = {"files": files, "event": json.dumps(SIGNUP)}
    (request,) = try_out(asked, Ways(always_single=True), NOW)["outcome"]["requests"]
    assert request["path"] == "/api/v1/customers/u1/events"


def test_findings_have_their_line_and_column() -> None:
    (problem,) = tried(RULES.replace("type == 'order'", "type = 'order'"))["problems"]
    assert (problem["level"], problem["file"], problem["line"]) == ("error", "rules.yaml", 7)
    assert problem["column"] > 11
    warnings = tried()["problems"]
    assert [(each["code"], each["line"]) for each in warnings] == [("no-test", 6)]


def test_rules_that_cannot_be_used_have_no_outcome() -> None:
    assert tried("version: 1\nrules: [")["outcome"] is None


def test_tests_pass_fail_or_are_not_run() -> None:
    passed = tried()["tests"]
    assert [(test["state"], test["line"]) for test in passed] == [("passed", 10)]
    (failed,) = tried(RULES.replace("name: signed up, attributes", "name: other, attributes"))["tests"]
    assert failed["state"] == "failed"
    assert any("other" in line for line in failed["lines"])


def test_no_file_is_read_for_a_test(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"type": "signup", "user": {"id": "leaked"}}')
    rules = RULES.replace(
        "    event: {type: signup, user: {id: u1}, plan: pro}\n", f"    event_file: {secret}\n"
    )
    answer = tried(rules)
    assert [test["state"] for test in answer["tests"]] == ["not run"]
    assert "leaked" not in json.dumps(answer)


def test_env_tells_nothing_about_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "a-secret")
    rules = RULES.replace('"${plan}"', "\"${env('SHOP_KEY')}\"").partition("tests:")[0]
    answer = tried(rules)
    assert answer["outcome"]["calls"][0]["attributes"] == {"plan": "***"}
    assert "a-secret" not in json.dumps(answer)


def test_a_tombstone_is_no_event() -> None:
    rules = RULES + "  - {name: none, event: null, expect: []}\n"
    outcome = try_out({"files": [{"name": "r", "text": rules}], "event": None}, Ways(), NOW)["outcome"]
    assert {rule["verdict"] for rule in outcome["rules"]} == {"not tried"}


def test_what_is_not_json_fails_as_it_would_in_the_pipeline() -> None:
    answer = try_out({"files": [{"name": "r", "text": RULES}], "event": "{"}, Ways(), NOW)
    (failure,) = answer["outcome"]["failures"]
    assert failure["reason"] == "undecodable"


def test_what_kafka_tells_reaches_the_rules() -> None:
    rules = RULES.replace("type == 'order'", "kafka().headers.kind == 'x' && kafka().topic == 'orders'")
    record = {"topic": "orders", "headers": {"kind": "x"}, "key": "k", "timestamp_ms": 5_000}
    _, order = tried(rules, record=record)["outcome"]["rules"]
    assert order["verdict"] == "matched"


def test_several_files_are_one_rule_set() -> None:
    first, second = RULES.partition("tests:")[0], RULES.replace("signup", "other").replace("order", "another")
    files = [{"name": "a.yaml", "text": first}, {"name": "b.yaml", "text": second}]
    outcome = try_out({"files": files, "event": json.dumps(SIGNUP)}, Ways(), NOW)["outcome"]
    assert [(rule["file"], rule["verdict"]) for rule in outcome["rules"]] == [
        ("a.yaml", "matched"),
        ("a.yaml", "not matched"),
        ("b.yaml", "not matched"),
        ("b.yaml", "not matched"),
    ]


def test_the_ways_come_back_as_they_were_written() -> None:
    ways = Ways("n", identify_timestamp=False, always_single=True, limits=MappingLimits(clamp_future=False))
    assert ways_of(json.loads(json.dumps(ways_document(ways)))) == ways


@pytest.fixture
def helper() -> Iterator[HelperProcess]:
    process = HelperProcess("pipeline.operations.playground_child")
    yield process
    process.close()


def test_the_process_gives_what_the_function_gives(helper: HelperProcess) -> None:
    text = (presets_folder() / "demo.yaml").read_text()
    asked = {"files": [{"name": "demo.yaml", "text": text}]}
    answer = helper.ask({"asked": asked, "ways": ways_document(Ways())}, deadline_s=60)
    assert {test["state"] for test in answer["tests"]} == {"passed"}
    assert answer["outcome"] is None


@pytest.mark.full
def test_an_expression_that_goes_on_and_on_is_stopped_and_the_next_edit_is_answered(
    helper: HelperProcess,
) -> None:
    slow = RULES.partition("tests:")[0].replace(
        "type == 'order'", "length(a[?contains(event().a, @)]) == `1`"
    )
    question = {"files": [{"name": "r", "text": slow}], "event": json.dumps({"a": list(range(150_000))})}
    began = time.monotonic()
    with pytest.raises(HelperDeadlineError):
        helper.ask({"asked": question, "ways": ways_document(Ways())}, deadline_s=5)
    assert time.monotonic() - began < 60
    answer = helper.ask({"asked": {"files": question["files"]}, "ways": ways_document(Ways())}, deadline_s=60)
    assert answer["outcome"] is None
