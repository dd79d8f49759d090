"""Nothing in a rule or an event becomes Python but through constants."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.documents import parse_document
from pipeline.mapping.expression import compile_expression
from pipeline.mapping.loading import compile_rules
from tests.unit.mapping.mapping_cases import NOW, calls, mapped, record, rules

HOSTILE = [
    "');__import__('os').system('x')#",
    '"""\n__import__("os")\n"""',
    "\\'); raise SystemExit(1) #",
    "}{0.__class__}{",
    "%(x)s {x!r} {{}}",
    "a\nreturn 1\n",
    "\u2028import os\u2029",
    "root",
    "run.calls.clear()",
    "é\x7f",
]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def raw(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def yaml_text(text: str) -> str:
    return json.dumps(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_or_a_text_in_an_expression_is_only_ever_data(text: str) -> None:
    assert compile_expression(quoted(text))({text: 7}) == 7
    assert compile_expression(f"{{{quoted(text)}: @}}")(5) == {text: 5}
    assert compile_expression(f"type({raw(text)})")(None) == "string"
    assert compile_expression(f"a.{quoted(text)}[0]")({"a": {text: [1]}}) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_rules_attributes_and_files_are_only_ever_data(text: str) -> None:
    name = " ".join(text.split()) or "x"
    written = yaml_text(name)
    source = (
        f"version: 1\nrules:\n  - name: {written}\n    track:\n      id: {written}\n      name: {written}\n"
        f"      attributes: {{{yaml_text(text)}: {yaml_text(text.replace('${', ''))}}}\n"
    )
    rule_set = compile_rules([parse_document(source, text)])
    call = rule_set.map({}, record(), NOW).calls[0]
    assert (call.source.rule, call.name, dict(call.attributes)) == (name, name.strip(), {text: text})
    assert {type(node) for node in ast.walk(ast.parse(rule_set.source))}.isdisjoint(
        {ast.Import, ast.ImportFrom, ast.Global}
    )


def test_generated_code_has_no_builtins() -> None:
    function: Any = compile_expression("a.b")
    assert function.__globals__["__builtins__"] == {}
    apply: Any = rules("rules:\n  - {name: r, destroy: {id: u}}")._apply
    assert apply.__globals__["__builtins__"] == {}


@pytest.mark.parametrize("expression", ["__class__", "a.__class__.__mro__", "__builtins__", "@.__init__"])
def test_attributes_of_python_objects_are_not_reachable(expression: str) -> None:
    assert compile_expression(expression)({"a": "x"}) is None


@pytest.mark.parametrize(
    "expression",
    ["`1`.a", "`1`[0]", "`[1]`[0].b", "'a'.b", "`true`[0]", "`null`.a", "`1`.*", "'x'[]", "`{}`.*"],
)
def test_a_constant_can_stand_where_a_value_stands(expression: str) -> None:
    assert compile_expression(expression)({}) in (None, [])


def test_a_constant_that_is_a_list_is_made_anew_for_every_event() -> None:
    text = 'rules:\n  - {name: r, track: {id: u, name: e, attributes: {l: "${`[1]`}", m: [1]}}}'
    rule_set = rules(text)
    first = rule_set.map({}, record(), NOW).calls[0].attributes
    first["l"].append(2)
    first["m"].append(2)
    assert dict(rule_set.map({}, record(), NOW).calls[0].attributes) == {"l": [1], "m": [1]}


def test_sixty_projections_inside_each_other_compile_and_run() -> None:
    depth = 60
    value: Any = 5
    for _ in range(depth):
        value = [{"a": value}]
    nested: Any = compile_expression("[*].a" * depth)(value)
    for _ in range(depth):
        nested = nested[0]
    assert nested == 5
    inside = "@"
    for _ in range(25):
        inside = f"not_null(b, [?{inside}])"
    compile_expression(inside)([])


def test_a_pattern_that_would_run_away_elsewhere_takes_its_time_in_proportion() -> None:
    text = "rules:\n  - {name: r, when: \"matches(a, '^(a+)+$')\", destroy: {id: u}}"
    assert calls(text, {"a": "a" * 5_000 + "!"}) == []
    assert len(calls(text, {"a": "a" * 5_000})) == 1


def test_an_event_nested_deeper_than_python_takes_is_a_reason_and_no_crash() -> None:
    value: Any = 1
    for _ in range(5_000):
        value = {"a": value}
    text = 'rules:\n  - {name: r, track: {id: u, name: e, attributes: {x: "${flatten(@)}"}}}'
    assert [str(f.reason) for f in mapped(text, value).failures] == ["mapping_error"]
    text = 'rules:\n  - {name: r, track: {id: u, name: e, attributes: {x: "${to_string(@)}"}}}'
    assert [str(f.reason) for f in mapped(text, value).failures] == ["mapping_error"]


def test_the_text_of_the_rules_does_not_depend_on_the_machine(tmp_path: Path) -> None:
    first = "{name: r, when: type == 'x' || type == 'y', destroy: {id: '${a.b}'}}"
    text = f"rules:\n  - {first}\n  - {{name: s, when: type == 'y', destroy: {{id: u}}}}"
    assert rules(text).source == rules(text).source
    assert str(tmp_path) not in rules(text).source
