"""Whatever the conditions, the index over them gives what trying each rule in turn gives."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.documents import parse_document
from pipeline.mapping import RuleSet
from pipeline.mapping.loading import compile_rules
from pipeline.records import Record

RECORD = Record("t", 0, 0, value=b"{}", timestamp_ms=1_773_480_413_000)
PATHS = st.sampled_from(["type", "kind", "a.b"])
WORDS = st.sampled_from(["x", "y", "z"])
SIMPLE = st.one_of(
    st.tuples(PATHS, WORDS).map(lambda pair: f"{pair[0]} == '{pair[1]}'"),
    st.tuples(PATHS, WORDS).map(lambda pair: f"'{pair[1]}' == {pair[0]}"),
    st.tuples(PATHS, WORDS).map(lambda pair: f"{pair[0]} != '{pair[1]}'"),
    st.tuples(PATHS, WORDS, WORDS).map(lambda given: f'contains(`["{given[1]}", "{given[2]}"]`, {given[0]})'),
    st.sampled_from(["n > 1", "flag", "`true`"]),
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: " && ".join(f"({part})" for part in parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: " || ".join(f"({part})" for part in parts)),
        inner.map(lambda part: f"!({part})"),
    ),
    max_leaves=5,
)
RULES = st.lists(st.tuples(CONDITIONS, st.booleans()), min_size=1, max_size=7)
TEXTS: st.SearchStrategy[Any] = st.one_of(WORDS, st.sampled_from([None, 1, True, ["x"], {"b": "x"}]))
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": TEXTS,
        "kind": TEXTS,
        "a": st.fixed_dictionaries({"b": TEXTS}),
        "n": st.integers(0, 3),
        "flag": st.booleans(),
    },
)


def compiled(rules: list[tuple[int, str, bool]]) -> RuleSet:
    """Rules as a set; a condition that gives no boolean is one all the same."""
    lines = [
        f"  - name: r{number}\n    when: |\n      {condition}\n    on_match: {'stop' if stops else 'continue'}\n"
        f"    destroy: {{id: u{number}}}\n"
        for number, condition, stops in rules
    ]
    return compile_rules([parse_document("version: 1\nrules:\n" + "".join(lines), "m.yaml")])


def people(rules: RuleSet, event: Any) -> list[str]:
    return [call.identity.value for call in rules.map(event, RECORD, 1.9e9).calls if call.identity]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(RULES, st.lists(EVENTS, min_size=3, max_size=8))
def test_an_indexed_set_gives_what_its_rules_give_one_by_one(
    rules: list[tuple[str, bool]], events: list[Any]
) -> None:
    numbered = [(number, condition, stops) for number, (condition, stops) in enumerate(rules)]
    together = compiled(numbered)
    alone = [(compiled([rule]), rule[2]) for rule in numbered]
    for event in events:
        expected: list[str] = []
        for rule, stops in alone:
            made = people(rule, event)
            expected += made
            if made and stops:
                break
        assert people(together, event) == expected
