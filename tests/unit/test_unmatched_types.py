"""Records that no rule matched, by the type of their events: bounded in number, and without data."""

from typing import Any

import orjson
import pytest

from pipeline.decode import decode_json
from pipeline.documents import parse_document
from pipeline.mapping import RuleSet
from pipeline.mapping.loading import compile_rules
from pipeline.records import Record
from pipeline.tally import Tally
from pipeline.unmatched import MOST_TYPES, UnmatchedTypes

RULES = """
version: 1
rules:
  - {name: one, when: "${type == 'one'}", identify: {id: "${id}"}}
  - {name: two, when: "${type == 'two'}", identify: {id: "${id}"}}
"""


def compiled(text: str) -> RuleSet:
    return compile_rules([parse_document(text, "m.yaml")])


def counted(*events: tuple[Any, int], rules: str = RULES) -> dict[str, int]:
    tally, rule_set = Tally(), compiled(rules)
    types = UnmatchedTypes(tally, decode_json, lambda: rule_set)
    for event, count in events:
        types.note(Record("shop", 0, 0, value=orjson.dumps(event)), count)
    return dict(tally.unmatched)


def test_the_field_that_most_rules_compare_is_the_type() -> None:
    assert counted(({"type": "cart.updated"}, 1), ({"type": "cart.updated"}, 7)) == {"cart.updated": 8}


@pytest.mark.parametrize(
    "event", [{}, {"type": None}, {"type": 5}, {"type": {"type": "x"}}, [], "text", None]
)
def test_an_event_without_a_type_is_counted_all_the_same(event: Any) -> None:
    assert counted((event, 2)) == {"unknown": 2}


@pytest.mark.parametrize(
    "found", ["ada@example.com", "+491701234567", "two words", "", "x" * 65, "naïve", "a\nb", "1234"]
)
def test_what_could_be_data_is_no_label(found: str) -> None:
    assert counted(({"type": found}, 1)) == {"other": 1}


def test_there_are_only_so_many_types() -> None:
    counts = counted(*(({"type": f"t{number}"}, 1) for number in range(MOST_TYPES + 10)))
    assert len(counts) == MOST_TYPES + 1
    assert counts["other"] == 10


def test_rules_that_compare_nothing_tell_no_types() -> None:
    rules = "version: 1\nrules:\n  - {name: all, when: '${a > `1`}', identify: {id: '${id}'}}\n"
    assert counted(({"type": "x"}, 1), rules=rules) == {"unknown": 1}
