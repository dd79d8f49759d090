"""Whatever stands in a file, reading it gives data or located problems."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.documents import DocumentError, parse_document

YAML_LIKE = st.lists(
    st.sampled_from(
        [
            "a",
            "b: ",
            "- ",
            "\n",
            "  ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            ": ",
            "'",
            '"',
            "|\n",
            "&x ",
            "*x",
            "!t ",
            "#",
            "?",
            "1",
            "~",
            "\t",
            "é",
        ]
    ),
    max_size=30,
).map("".join)
TEXTS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=8)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.one_of(YAML_LIKE, st.text(max_size=40)))
def test_any_text_gives_data_or_problems_that_point_into_it(text: str) -> None:
    try:
        document = parse_document(text, "m.yaml")
    except DocumentError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.location.line <= text.count("\n") + text.count("\r") + len(text.splitlines()) + 1
            assert str(problem)
        return
    json.dumps(document.data)
    for path in document.places:
        location = document.locate(path)
        assert location.line >= 1
        assert location.column >= 1


@settings(max_examples=200, deadline=None, derandomize=True)
@given(PLAIN)
def test_json_is_read_as_what_it_says(value: Any) -> None:
    """But for what YAML's parser has no escapes for: halves of a character, and control characters."""
    text = json.dumps(value, ensure_ascii=False)
    assert parse_document(text, "m.yaml").data == value
