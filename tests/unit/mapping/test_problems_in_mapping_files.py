"""What is wrong with a mapping file: every text that a person gets to see, and where it points."""

import pytest

from pipeline.documents import DocumentError, parse_document
from pipeline.mapping.loading import compile_rules
from tests.unit.mapping.mapping_cases import problems, rules

RULE = "rules:\n  - name: r\n    when: {}\n    destroy: {{id: u}}\n"
FIELD = "rules:\n  - name: r\n    destroy:\n      id: {}\n"


@pytest.mark.parametrize(
    ("when", "column", "code", "text"),
    [
        ('type == "x"', 19, "quoted-name", "\"x\" in double quotes is a field name; write a string as 'x'"),
        (
            "'!a.b'",
            12,
            "narrow-not",
            "'!' takes only the next name: put what it negates in parentheses, as in !(a.b)",
        ),
        (
            "'!a == b'",
            12,
            "narrow-not",
            "'!' takes only the next name: put what it negates in parentheses, as in !(a.b)",
        ),
        (
            "a == true",
            16,
            "json-word",
            "true is a field name here: write `true` in backticks (or @.true for the field)",
        ),
        (
            "if(a, false, b)",
            17,
            "json-word",
            "false is a field name here: write `false` in backticks (or @.false for the field)",
        ),
        ("contains(a b)", 22, "missing-comma", "a comma is missing"),
        ("contains(a, b,)", 24, "missing-comma", "nothing follows this comma"),
        ("lowr(a)", 11, "unknown-function", "unknown function lowr(): did you mean 'lower'?"),
        ("zzz(a)", 11, "unknown-function", "unknown function zzz()"),
        ("lower(a, b)", 11, "invalid-arity", "lower() takes 1 argument, 2 given: lower(text) -> text"),
        (
            "trim()",
            11,
            "invalid-arity",
            "trim() takes 1 to 2 arguments, 0 given: trim(text, characters) -> text",
        ),
        (
            "not_null()",
            11,
            "invalid-arity",
            "not_null() takes at least 1 argument, 0 given: not_null(value, ...) -> value",
        ),
        ("a == `x`", 16, "bad-literal", "`x` is not JSON; write a string as 'x'"),
        ("a > 1e999", 15, "bad-literal", "1e999 is too large a number"),
        ("a > `1e999`", 15, "bad-literal", "1e999 is too large a number"),
        ("a == `[-1e999]`", 16, "bad-literal", "-1e999 is too large a number"),
        ("a = b", 13, "bad-expression", "a single '=': write '==' to compare"),
        ("user..id", 16, "bad-expression", "expected a quoted name or a name or '[' or '{', found '.'"),
        ("a b", 13, "bad-expression", "'b' cannot stand here"),
        ("a ==", 15, "bad-expression", "the expression ends too early"),
        ("(a", 13, "bad-expression", "the expression ends too early"),
        ("a[?b", 15, "bad-expression", "the expression ends too early"),
        ("sort_by(a, b)", 22, "invalid-type", "argument 2 of sort_by() is an expression: write & before it"),
        ("length(&a)", 11, "invalid-type", "length() takes no expression (&...) here"),
        ("a[::0]", 11, "invalid-value", "the step of a slice cannot be 0"),
        ("item().a", 11, "no-for-each", "item() has a meaning only in a rule with for_each"),
        ("env('NO_SUCH')", 11, "env-not-set", "the environment variable NO_SUCH is not set"),
        ("env(a)", 11, "not-constant", "env() takes the name of a variable in single quotes"),
        ("matches(a, b)", 11, "not-constant", "matches() takes its pattern in single quotes"),
        ("matches(a, '(')", 11, "bad-pattern", "the pattern cannot be used: missing ): ("),
    ],
)
def test_an_expression_that_cannot_be_used_says_what_and_where(
    when: str, column: int, code: str, text: str
) -> None:
    assert problems(RULE.format(when), environment={}) == [f"m.yaml:4:{column}: {code}: {text}"]


def test_the_source_line_and_a_caret_are_shown() -> None:
    with pytest.raises(DocumentError) as caught:
        rules(FIELD.format("${user..id}"))
    assert str(caught.value) == (
        "m.yaml:5:18: error: expected a quoted name or a name or '[' or '{', found '.'\n"
        "      id: ${user..id}\n"
        "                 ^"
    )


def test_an_expression_that_is_never_closed_may_have_lost_its_end_to_a_comment() -> None:
    assert problems(FIELD.format("${a[0] # x}")) == [
        "m.yaml:5:11: unclosed: '${' is never closed (a ' #' in plain YAML text starts a comment: quote the value)"
    ]
    assert problems(FIELD.format("'${a'")) == ["m.yaml:5:12: unclosed: '${' is never closed"]


def test_an_expression_inside_a_block_of_text_is_located() -> None:
    text = "rules:\n  - name: r\n    when: |\n      type == 'x' &&\n      lowr(a)\n    destroy: {id: u}\n"
    assert problems(text)[0].startswith("m.yaml:6:7: unknown-function")


def test_every_problem_of_a_file_is_reported_at_once() -> None:
    text = """\
rules:
  - name: a
    wen: x
    destroy: {id: u}
  - name: b
    identfy: {}
    track: {nam: x}
  - destroy: {id: u}
"""
    assert problems(text) == [
        "m.yaml:4:5: unknown-key: unknown key 'wen': did you mean 'when'?",
        "m.yaml:7:5: unknown-key: unknown key 'identfy': did you mean 'identify'?",
        "m.yaml:8:5: missing-key: 'name' is missing",
        "m.yaml:8:13: unknown-key: unknown key 'nam': did you mean 'name'?",
        "m.yaml:9:5: missing-key: 'name' is missing",
    ]
    both = (
        "rules:\n  - {name: a, when: lowr(x), destroy: {id: u}}\n  - {name: b, destroy: {id: '${uper(x)}'}}\n"
    )
    assert [problem.split(": ")[1] for problem in problems(both)] == ["unknown-function", "unknown-function"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("when: x", "the rule makes no call: give it one, or on_match: stop"),
        ("key: a\n    destroy: {id: u}", "key has a meaning only with for_each"),
        (
            "calls: [{destroy: {id: u}}]\n    track: {name: e}",
            "write either calls: or single calls, not both",
        ),
        ("calls: [{destroy: {id: u}, track: {name: e}}]", "an entry of calls has exactly one call"),
        (
            "on_error: ignore\n    destroy: {id: u}",
            "'on_error': input should be 'dead_letter', 'skip_field' or 'skip_call'",
        ),
        (
            "identity: [id, name]\n    destroy: {id: u}",
            "Input should be 'id', 'cio_id', 'email', 'phone' or 'anonymous_id'",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(body: str, text: str) -> None:
    assert [problem.split(": ", 2)[2] for problem in problems(f"rules:\n  - name: r\n    {body}\n")] == [text]


def test_two_rules_may_not_share_a_name_or_an_id() -> None:
    names = ("name: a", "name: a", "name: b, id: a")
    text = "rules:\n" + "".join(f"  - {{{name}, destroy: {{id: u}}}}\n" for name in names)
    assert problems(text) == [
        "m.yaml:4:12: duplicate-rule: another rule has the name 'a' (at m.yaml:3)",
        "m.yaml:5:19: duplicate-rule: another rule has the id 'a' (at m.yaml:3)",
    ]


def test_a_number_that_json_does_not_have_is_refused() -> None:
    assert problems("rules:\n  - {name: r, track: {id: u, name: e, attributes: {a: .inf}}}") == [
        "m.yaml:3:55: bad-value: JSON has no such number"
    ]


def test_the_version_must_be_known() -> None:
    with pytest.raises(DocumentError, match="'version': input should be 1"):
        compile_rules([parse_document("version: 2\n", "m.yaml")])


def test_an_expression_that_is_too_long_or_too_deep_is_refused() -> None:
    assert "at most 4096 characters" in problems(RULE.format(" || ".join(["a"] * 2000)))[0]
    assert "nested too deeply" in problems(RULE.format("(" * 1500 + "a" + ")" * 1500))[0]
    assert problems(RULE.format(" || ".join(["a"] * 500))) == []
    assert problems(RULE.format("(" * 100 + "a" + ")" * 100)) == []
