"""The index by which an event finds its rules: it changes no result."""

import itertools
import json
from typing import Any

import pytest

from pipeline.mapping.dispatch import needs
from pipeline.mapping.expression import parse_expression
from tests.unit.mapping.mapping_cases import NOW, record, rules


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("type == 'x'", {("type",): {"x"}}),
        ("'x' == a.b.c", {("a", "b", "c"): {"x"}}),
        ("type == 'x' && v > 1", {("type",): {"x"}}),
        ("type == 'x' && lower(k) == 'y' && k == 'z'", {("type",): {"x"}, ("k",): {"z"}}),
        ("type == 'x' || type == 'y'", {("type",): {"x", "y"}}),
        ("(type == 'x' || type == 'y') && type == 'y'", {("type",): {"y"}}),
        ("type == 'x' && type == 'y'", {("type",): set()}),
        ('contains(`["x", "y"]`, type)', {("type",): {"x", "y"}}),
        ('contains(`["x", 1]`, type)', {}),
        ("type == 'x' || v > 1", {}),
        ("!(type == 'x')", {}),
        ("type != 'x'", {}),
        ("v == 5", {}),
        ("items[0].type == 'x'", {}),
    ],
)
def test_the_texts_that_a_condition_needs_are_read_from_it(
    condition: str, wanted: dict[Any, set[str]]
) -> None:
    assert needs(parse_expression(condition)) == wanted


MIXED = """
rules:
  - {name: r1, when: type == 'a', destroy: {id: "1"}}
  - {name: r2, when: v > 1, destroy: {id: "2"}}
  - {name: r3, when: type == 'b' && v > 1, on_match: stop, destroy: {id: "3"}}
  - {name: r4, when: type == 'a' || type == 'b', destroy: {id: "4"}}
  - {name: r5, when: "contains(`[\\"b\\", \\"c\\"]`, type)", destroy: {id: "5"}}
  - {name: r6, destroy: {id: "6"}}
  - {name: r7, when: type == 'd' && type == 'a', destroy: {id: "7"}}
  - {name: r8, when: "starts_with(type, 'a')", on_error: skip_call, destroy: {id: "8"}}
"""


def test_an_index_gives_the_same_calls_in_the_same_order_as_trying_every_rule() -> None:
    indexed = rules(MIXED)
    assert indexed.index is not None
    assert indexed.index.path == ("type",)
    alone = [rules(f"rules:\n{line}\n") for line in MIXED.splitlines() if "name:" in line]
    types: list[Any] = ["a", "b", "c", "d", "", None, 5, True, [], ["a"], {"a": 1}]
    for kind, value in itertools.product(types, (0, 2, None, "x")):
        event = {"type": kind, "v": value}
        expected: list[str] = []
        for number, rule in enumerate(alone, 1):
            expected += [
                call.identity.value for call in rule.map(event, record(), NOW).calls if call.identity
            ]
            if number == 3 and rule.map(event, record(), NOW).matched:
                break
        made = [call.identity.value for call in indexed.map(event, record(), NOW).calls if call.identity]
        assert made == expected, event


def test_a_rule_that_is_in_many_buckets_is_written_once() -> None:
    lines = "".join(f"  - {{name: r{n}, when: type == 't{n}', destroy: {{id: u{n}}}}}\n" for n in range(50))
    text = (
        f"rules:\n{lines}  - {{name: every, identify: {{id: every, attributes: {{deep: '${{a.b.c}}'}}}}}}\n"
    )
    source = rules(text).source
    assert source.count("['deep']") == 1
    assert source.count("def bucket_") == 51


def test_an_event_of_any_shape_finds_its_rules() -> None:
    indexed = rules(MIXED)
    events: list[Any] = [None, True, 5, "a", [], {}, {"type": {"type": "a"}}]
    for event in events:
        made = indexed.map(event, record(), NOW)
        assert [call.identity.value for call in made.calls if call.identity] == ["6"], json.dumps(event)
