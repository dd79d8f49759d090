"""What lint says about rules that are valid and would still surprise."""

from pathlib import Path

import pytest

from pipeline.mapping import load_rules
from pipeline.mapping.cases import load_suites
from pipeline.mapping.changes import changes
from pipeline.mapping.lint import lint, lint_rules
from tests.unit.mapping.mapping_cases import rules

STOP = """
rules:
  - name: a
    when: {}
    on_match: stop
  - name: b
    when: {}
    destroy: {{id: u}}
"""


def warnings(text: str) -> list[str]:
    return [f"{p.location.line}: {p.code}: {p.text}" for p in lint_rules(rules(text))]


def test_a_rule_that_can_never_match_is_found() -> None:
    first = "  - {name: a, when: type == 'x' && type == 'y', destroy: {id: u}}"
    text = f"rules:\n{first}\n  - {{name: b, when: false, destroy: {{id: u}}}}"
    assert warnings(text) == [
        "3: never-matches: rule 'a' can never match",
        "4: never-matches: rule 'b' can never match",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("type == 'x'", "type == 'x' && a"),
        ("type == 'x' && a", "b && a && type == 'x'"),
        ('contains(`["x", "y"]`, type)', "type == 'y'"),
        ("type == 'x' || type == 'y'", "type == 'y' && n > 5"),
        ("'`true`'", "'`true`'"),
    ],
)
def test_a_rule_behind_a_stop_that_takes_all_it_could_match_is_found(first: str, second: str) -> None:
    text = STOP.format(first, second)
    assert warnings(text) == ["7: shadowed: rule 'a' stops every event that rule 'b' could match"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("type == 'x' && a", "type == 'x'"),
        ("type == 'x'", "type == 'y'"),
        ("type == 'x' || a", "type == 'x' && b"),
        ("kafka().tombstone", "type == 'x'"),
    ],
)
def test_a_rule_that_a_stop_lets_something_through_to_is_not_reported(first: str, second: str) -> None:
    text = STOP.format(first, second)
    assert warnings(text) == []


def test_without_a_condition_a_stop_hides_every_later_rule() -> None:
    text = "rules:\n  - {name: a, on_match: stop}\n  - {name: b, destroy: {id: u}}"
    assert warnings(text) == ["4: shadowed: rule 'a' stops every event that rule 'b' could match"]


def test_rules_that_are_tried_on_every_event_are_reported_when_there_are_many() -> None:
    lines = "".join(f"  - {{name: r{n}, when: e.type == 't{n}', destroy: {{id: u}}}}\n" for n in range(20))
    text = f"rules:\n{lines}  - {{name: slow, when: n > 5, destroy: {{id: u}}}}"
    assert warnings(text) == [
        "23: not-indexed: rule 'slow' is tried on every event: its condition does not ask for a text of e.type"
    ]
    few = text.split("  - {name: r10", maxsplit=1)[0]
    assert warnings(f"{few}  - {{name: slow, when: n > 5, destroy: {{id: u}}}}") == []


def test_a_call_that_cannot_name_a_person_is_reported() -> None:
    text = "rules:\n  - name: a\n    destroy: {}\n    raw: {path: /v1/x}"
    assert warnings(text) == [
        "4: no-identity: this destroy has no way to name a person: give it an id, or one under defaults"
    ]


@pytest.mark.parametrize(
    "text", ["$.user.id", "{{ user.id }}", "this.user.id", "user.plan", ".user", "Hi {{x}}"]
)
def test_a_text_that_looks_like_an_expression_is_reported(text: str) -> None:
    body = f"rules:\n  - {{name: a, when: user.x, track: {{id: u, name: e, attributes: {{a: '{text}'}}}}}}"
    assert [warning.split(":")[:2] for warning in warnings(body)] == [["3", " looks-like-expression"]]


@pytest.mark.parametrize(
    "text", ["example.com", "a.b", "kafka", "v1.2", "https://x.io/a.b", "$5", "user", "order_placed"]
)
def test_ordinary_text_is_not_taken_for_an_expression(text: str) -> None:
    body = f"rules:\n  - {{name: a, when: user.x, track: {{id: u, name: e, attributes: {{a: '{text}'}}}}}}"
    assert warnings(body) == []


def test_a_text_that_the_condition_compares_with_is_not_taken_for_an_expression() -> None:
    rule = "rules:\n  - {name: a, when: type == 'user.created', track: {id: '${user.id}', name: %s}}"
    assert warnings(rule % "user.created") == []
    assert [warning.split(":")[:2] for warning in warnings(rule % "user.updated")] == [
        ["3", " looks-like-expression"]
    ]


def test_rules_that_no_test_reaches_are_reported_with_the_warnings_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        "version: 1\nrules:\n"
        "  - {name: a, when: type == 'a', track: {id: u, name: e, attributes: {flag: no}}}\n"
        "  - {name: b, when: type == 'b', destroy: {id: u}}\n"
        "tests:\n  - {name: t, event: {type: b}, expect: [{call: destroy, id: u}]}\n"
    )
    found = lint(load_suites([path]))
    assert [(p.location.line, p.code) for p in found] == [(3, "yaml-1.1"), (3, "no-test")]
    (tmp_path / "m_test.yaml").write_text(
        "version: 1\ntests:\n  - name: t\n    event: {type: a}\n"
        "    expect: [{call: track, id: u, name: e, timestamp: 1893456000, attributes: {flag: 'no'}}]\n"
    )
    assert [p.code for p in lint(load_suites([tmp_path]))] == ["yaml-1.1"]


def test_rules_of_several_files_can_be_judged_as_one_set(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text("version: 1\nrules:\n  - {name: a, on_match: stop}\n")
    (tmp_path / "2.yaml").write_text("version: 1\nrules:\n  - {name: b, destroy: {id: u}}\n")
    suites = load_suites([tmp_path])
    assert {p.code for p in lint(suites)} == {"no-test"}
    assert {p.code for p in lint(suites, load_rules([tmp_path]))} == {"no-test", "shadowed"}


BEFORE = """
rules:
  - {name: a, when: x, track: {id: u, name: e}}
  - {name: b, for_each: i, calls: [{track: {id: u, name: e}}, {track: {id: u, name: e}}]}
  - {name: c, destroy: {id: u}}
"""


def differences(after: str) -> list[str]:
    return [f"{p.code}: {p.text}" for p in changes(rules(BEFORE), rules(after))]


def test_an_edit_that_changes_nothing_is_not_reported() -> None:
    assert differences(BEFORE) == []
    assert differences(BEFORE.replace("name: c,", "name: c2, id: c,")) == []
    assert differences(BEFORE.replace("destroy: {id: u}", 'destroy: {id: "u"}')) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1", '"1"'),
        ("true", '"true"'),
        ("null", '"null"'),
        ("[1]", '["1"]'),
        ("{b: 1, c: 2}", '{b: "1, c: 2"}'),
        ("'${x}'", "'$${x}'"),
        ("'a ${x}'", "'a $${x}'"),
    ],
)
def test_a_value_that_only_changes_its_type_is_another_value(old: str, new: str) -> None:
    text = "rules:\n  - {name: r, identify: {id: u, attributes: {a: %s}}}"
    assert [problem.code for problem in changes(rules(text % old), rules(text % new))] == ["rule-changed"]


def test_blanks_around_a_name_change_no_ids_of_events() -> None:
    text = "rules:\n  - {name: r, calls: [{track: {id: u, name: e}}, {track: {id: u, name: %s}}]}"
    codes = [problem.code for problem in changes(rules(text % "e"), rules(text % "'e '"))]
    assert "event-id-changed" not in codes


def test_each_rule_and_each_event_id_that_an_edit_changes_is_reported() -> None:
    assert differences(BEFORE.replace("when: x", "when: y")) == [
        "rule-changed: rule 'a' does something else now"
    ]
    assert differences(BEFORE.replace("name: a,", "name: a2,")) == [
        "rule-added: rule 'a2' is new",
        "rule-removed: rule 'a' is gone",
    ]
    assert differences(
        BEFORE.replace("when: x, track: {id: u, name: e}", "when: x, track: {id: u, name: f}")
    ) == [
        "rule-changed: rule 'a' does something else now",
        "event-id-changed: the events of track 'e' in rule 'a' are gone",
        "event-id-changed: the events of track 'f' in rule 'a' are new",
    ]
    assert differences(BEFORE.replace("for_each: i,", "for_each: i, key: '${item().k}',")) == [
        "rule-changed: rule 'b' does something else now",
        "event-id-changed: the events of track 'e' in rule 'b' get other ids",
        "event-id-changed: the events of track 'e' number 2 in rule 'b' get other ids",
    ]
