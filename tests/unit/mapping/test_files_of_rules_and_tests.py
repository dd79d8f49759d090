"""Which files make a rule set, and how the tests in them and beside them are read."""

import json
from pathlib import Path

import pytest

from pipeline.documents import DocumentError
from pipeline.mapping import load_rules
from pipeline.mapping.cases import CaseResult, load_suites, run_case
from tests.unit.mapping.mapping_cases import NOW, record


def rule(name: str, extra: str = "") -> str:
    return f"version: 1\n{extra}rules:\n  - {{name: {name}, destroy: {{id: {name}}}}}\n"


def results(path: Path) -> list[CaseResult]:
    return [run_case(suite.rules, case) for suite in load_suites([path]) for case in suite.cases]


def problems(path: Path) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        load_suites([path])
    return [f"{problem.location.line}: {problem.text}" for problem in caught.value.problems]


def test_a_folder_is_one_rule_set_in_the_order_of_the_names_of_its_files(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.yaml").write_text(rule(name))
    (tmp_path / "c_test.yaml").write_text("version: 1\ntests: []\n")
    (tmp_path / "notes.txt").write_text("no rules")
    assert [plan.name for plan in load_rules([tmp_path]).rules] == ["a", "b", "c"]


def test_files_are_taken_in_the_order_given_and_each_once(tmp_path: Path) -> None:
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text(rule("x", "defaults: {id: never}\n"))
    second.write_text(rule("y", "unmatched: dead_letter\n"))
    rules = load_rules([second, first, second])
    assert [plan.name for plan in rules.rules] == ["y", "x"]
    assert rules.unmatched == "dead_letter"
    assert [call.identity.value for call in rules.map({}, record(), NOW).calls if call.identity] == ["y", "x"]


def test_defaults_hold_only_for_the_rules_of_their_own_file(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text("version: 1\ndefaults: {id: u}\nrules: [{name: a, destroy: {}}]\n")
    (tmp_path / "2.yaml").write_text("version: 1\nrules: [{name: b, destroy: {}}]\n")
    mapped = load_rules([tmp_path]).map({}, record(), NOW)
    assert len(mapped.calls) == 1
    assert [str(failure.source) for failure in mapped.failures] == ["b/destroy"]


def test_two_files_with_one_name_of_a_rule_are_both_named(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text(rule("a"))
    (tmp_path / "2.yaml").write_text(rule("a"))
    with pytest.raises(
        DocumentError, match=r"2.yaml:3:12: .*another rule has the name 'a' \(at .*1.yaml:3\)"
    ):
        load_rules([tmp_path])


def test_problems_of_all_files_come_together(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text("version: 3\n")
    (tmp_path / "2.yaml").write_text(rule("a").replace("destroy", "destory"))
    with pytest.raises(DocumentError) as caught:
        load_rules([tmp_path])
    assert {Path(problem.location.file).name for problem in caught.value.problems} == {"1.yaml", "2.yaml"}


def test_a_test_can_take_its_event_from_a_file_and_its_record_and_time_from_the_test(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"id": "u1"}))
    path = tmp_path / "m.yaml"
    path.write_text(
        """\
version: 1
rules:
  - name: r
    track: {id: "${id}", name: "${kafka().topic}", attributes: {k: "${kafka().key}", h: "${kafka().headers.h}"}}
tests:
  - name: t
    event_file: event.json
    now: 2026-03-14T09:26:53Z
    kafka: {topic: orders, key: k1, headers: {h: "1"}}
    expect: [{call: track, id: u1, name: orders, rule: r, timestamp: 1773480413, attributes: {k: k1, h: "1"}}]
"""
    )
    assert [result.lines for result in results(path)] == [()]


def test_tests_in_a_file_of_their_own_name_the_files_under_test(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(rule("a"))
    (tmp_path / "n.yaml").write_text(rule("b"))
    both = "[{call: destroy, id: a}, {call: destroy, id: b}]"
    test = tmp_path / "all_test.yaml"
    test.write_text(
        f"version: 1\nmappings: [m.yaml, n.yaml]\ntests:\n  - {{name: t, event: {{}}, expect: {both}}}\n"
    )
    assert [result.lines for result in results(test)] == [()]
    assert len(load_suites([tmp_path])) == 3


def test_an_expectation_that_is_not_met_is_shown_as_a_difference(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(rule("a") + "tests:\n  - {name: t, event: {}, expect: [], errors: 1, unmatched: true}\n")
    assert results(path)[0].lines == (
        "expected (-) and made (+):",
        "+ {",
        '+   "call": "destroy",',
        '+   "id": "a"',
        "+ }",
        "expected 1 failures, there are 0:",
        "a rule matched, and none should",
    )


@pytest.mark.parametrize(
    ("expected", "made", "same"),
    [
        ("1", "1.0", True),
        ("{b: [2.0]}", "{b: [2]}", True),
        ("true", "1", False),
        ("1", "true", False),
        ("{b: [false]}", "{b: [0]}", False),
        ("1", "'1'", False),
    ],
)
def test_numbers_are_compared_by_value_and_are_neither_booleans_nor_texts(
    tmp_path: Path, expected: str, made: str, same: bool
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        f"""\
version: 1
rules: [{{name: r, identify: {{id: u, attributes: {{a: {made}}}}}}}]
tests:
  - name: t
    event: {{}}
    expect: [{{call: identify, id: u, timestamp: 1893456000, attributes: {{a: {expected}}}}}]
"""
    )
    assert (results(path)[0].lines == ()) is same


@pytest.mark.parametrize("errors", ["1", "[no_identity]"])
def test_failures_are_expected_by_their_number_or_their_reasons(tmp_path: Path, errors: str) -> None:
    path = tmp_path / "m.yaml"
    test = f"{{name: t, event: {{}}, expect: [], errors: {errors}}}"
    path.write_text(f"version: 1\nrules: [{{name: a, destroy: {{}}}}]\ntests:\n  - {test}\n")
    assert results(path)[0].lines == ()


@pytest.mark.parametrize(
    "part", ["now: .inf", "now: 1e999", "event: {n: .nan}", "kafka: {timestamp: .inf}", "expect: [{a: .inf}]"]
)
def test_a_number_that_json_does_not_have_is_refused_in_tests_too(tmp_path: Path, part: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(rule("a") + f"tests:\n  - name: t\n    {part}\n")
    assert problems(path) == ["6: JSON has no such number"]


@pytest.mark.parametrize("text", ['{"n": NaN}', '{"n": 1e999}', "{"])
def test_an_event_in_a_file_is_read_as_a_run_reads_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.yaml"
    (tmp_path / "event.json").write_text(text)
    path.write_text(rule("a") + "tests:\n  - {name: t, event_file: event.json, expect: []}\n")
    assert problems(path) == ["5: 'event_file' cannot be read: not what it must be"]


def test_a_test_that_cannot_mean_anything_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        rule("a")
        + """\
tests:
  - name: t
    expect: [{call: explode}, {call: destroy, nmae: x}]
  - {name: u, expect: [], now: yesterday}
  - {name: v, expect: [], event_file: none.json}
  - {name: w, expcet: []}
"""
    )
    assert problems(path) == ["9: 'expect' is missing", "9: unknown key 'expcet': did you mean 'expect'?"]
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    found = problems(path)
    assert found[0].startswith("6: 'call' must be one of identify, track,")
    assert found[1:] == [
        "6: a call has no 'nmae'",
        "7: 'now' cannot be read: not what it must be",
        "8: 'event_file' cannot be read: No such file or directory",
    ]
