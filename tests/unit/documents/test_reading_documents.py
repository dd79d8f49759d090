"""YAML documents: what is taken, what is refused, and where it says so."""

from pathlib import Path

import pytest

from pipeline.documents import Document, DocumentError, Level, Location, parse_document, read_document


def problems_of(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, "m.yaml")
    return [f"{p.location}: {p.code}: {p.text}" for p in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("012", 12),
        ("12:30", "12:30"),
        ("1.10", 1.1),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("2026-03-14T09:26:53Z", "2026-03-14T09:26:53Z"),
        (".5", 0.5),
        ("-1e3", -1000.0),
        ("'7'", "7"),
        ('"null"', "null"),
        ("!!str 7", "7"),
        ('!!int "7"', 7),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    data = parse_document(f"a: {text}", "m.yaml").data["a"]
    assert data == value
    assert type(data) is type(value)


def test_an_empty_document_is_null() -> None:
    assert parse_document("", "m.yaml").data is None


def test_words_that_yaml_1_1_took_for_booleans_are_warned_about() -> None:
    document = parse_document("a: no\nb: 'no'\n", "m.yaml")
    assert [(p.location.line, p.code, p.level) for p in document.warnings] == [(1, "yaml-1.1", Level.WARNING)]


def test_every_duplicate_key_is_reported_with_both_lines() -> None:
    assert problems_of("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n") == [
        "m.yaml:3:1: duplicate-key: duplicate key 'a' (first on line 1)",
        "m.yaml:4:11: duplicate-key: duplicate key 'd' (first on line 4)",
    ]


def test_a_key_that_is_not_plain_text_is_refused() -> None:
    assert problems_of("a: {{ x }}") == [
        "m.yaml:1:5: bad-key: a key must be plain text ({{ }} starts a nested YAML map: quote it)"
    ]
    assert problems_of("a: {? [1] : 2}")[0].startswith("m.yaml:1:7: bad-key")


def test_merge_keys_of_yaml_1_1_are_refused() -> None:
    assert "'<<' merges maps in YAML 1.1 only" in problems_of("a: &a {b: 1}\nc: {<<: *a}")[0]


def test_numbers_and_words_as_keys_are_text() -> None:
    assert parse_document("1: a\ntrue: b\nno: c", "m.yaml").data == {"1": "a", "true": "b", "no": "c"}


def test_unknown_tags_are_refused() -> None:
    assert problems_of("when: !user.active\n") == [
        "m.yaml:1:7: unknown-tag: unknown tag '!user.active' (text that starts with '!' must be quoted)"
    ]
    assert "'!!binary'" in problems_of("a: !!binary aGk=")[0]
    assert "'!!set'" in problems_of("a: !!set {x, y}")[0]
    assert "'!!python/name:os.system'" in problems_of("a: !!python/name:os.system x")[0]


def test_a_value_that_contradicts_its_tag_is_refused() -> None:
    assert problems_of("a: !!int x") == ["m.yaml:1:4: bad-value: this text is no int"]
    assert problems_of("a: !!bool 1") == ["m.yaml:1:4: bad-value: this text is no bool"]


@pytest.mark.parametrize("number", [".inf", "-.INF", ".nan", "1e999"])
def test_a_number_that_json_does_not_have_is_refused(number: str) -> None:
    assert problems_of(f"a: [{number}]") == ["m.yaml:1:5: bad-value: JSON has no such number"]


def test_a_number_of_more_digits_than_python_takes_is_refused() -> None:
    assert problems_of("a: " + "9" * 5000) == ["m.yaml:1:4: bad-value: this text is no int"]


def test_an_alias_repeats_its_value_and_the_text_stays_where_it_was_written() -> None:
    document = parse_document("a: &x [1, 2]\nb: *x\n", "m.yaml")
    assert document.data == {"a": [1, 2], "b": [1, 2]}
    assert document.data["a"] is not document.data["b"]
    assert document.locate(["b"], key=True) == Location("m.yaml", 2, 1)


def test_an_alias_may_not_contain_itself() -> None:
    assert problems_of("a: &x [*x]") == ["m.yaml:1:4: alias: an alias may not contain itself"]


def test_an_alias_bomb_is_refused() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))
    assert "an alias expands too far" in problems_of(f"a0: &a0 lol\n{levels}\n")[0]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_without_end_is_refused(opening: str) -> None:
    assert problems_of(opening * 50_000)[0].startswith("m.yaml")


def test_a_syntax_error_names_line_and_column() -> None:
    assert problems_of("a: 1\nb: c: d\n")[0].startswith(
        "m.yaml:2:5: yaml-syntax: mapping values are not allowed"
    )
    assert problems_of("a: [1\n")[0].startswith("m.yaml:2:1: yaml-syntax")
    assert problems_of("a: 1\n---\nb: 2\n")[0].startswith("m.yaml:2:1: yaml-syntax")
    assert problems_of("a: \x00")[0].startswith("m.yaml")


@pytest.mark.parametrize(
    "text",
    ["a: {id: ${person}, name: x}", "a: [${x}]", "a:\n  - {b: 1,\n     id: to ${x.y}}", "a: {${x}: 1}"],
)
def test_an_expression_that_yaml_takes_for_a_map_must_be_quoted_and_the_error_says_so(text: str) -> None:
    (problem,) = problems_of(text)
    line = text.count("\n", 0, text.index("${")) + 1
    column = text.splitlines()[line - 1].index("${") + 2
    assert problem == (
        f"m.yaml:{line}:{column}: yaml-syntax: ${{ }} inside {{ }} or [ ] ends the value for YAML:"
        " quote the value, '${...}'"
    )


def test_an_error_shows_the_line_and_a_caret() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document("rules:\n\t  - x: !a b\n".replace("\t", ""), "m.yaml")
    assert str(caught.value) == (
        "m.yaml:2:8: error: unknown tag '!a' (text that starts with '!' must be quoted)\n"
        "  - x: !a b\n"
        "       ^"
    )


def test_a_long_line_is_cut_around_the_caret() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(f"a: [{'1, ' * 200}!x y]", "m.yaml")
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) <= 120
    assert shown[len(caret) - 1 :].startswith("!x y]")


@pytest.mark.parametrize("key", ["password", "sasl.password", "api_key", "client_secret", '"Token"'])
def test_the_line_of_an_error_never_shows_a_secret(key: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(f"{key}: !x hunter2", "m.yaml")
    assert "hunter2" not in str(caught.value)
    assert "***" in str(caught.value)


def test_a_file_is_read_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    document = read_document(path)
    assert document.data == {"a": 1}
    assert document.locate(["a"]) == Location(str(path), 1, 4)


def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none.yaml: error: cannot read the file: No such file"):
        read_document(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"a: \xff")
    with pytest.raises(DocumentError, match="not UTF-8 at byte 3"):
        read_document(bad)
    with pytest.raises(DocumentError, match="cannot read the file"):
        read_document(tmp_path)


SAMPLE = """\
plain: ab ${x..y}
single: 'ab ${x}'
escaped: "a\\tb ${x}"
block: |
  one
  two ${x}
folded: >
  one
  two
list:
  - {deep: value}
"""


@pytest.fixture
def sample() -> Document:
    return parse_document(SAMPLE, "m.yaml")


def test_values_and_keys_are_located(sample: Document) -> None:
    assert sample.locate(["list", 0, "deep"]) == Location("m.yaml", 11, 12)
    assert sample.locate(["list", 0, "deep"], key=True) == Location("m.yaml", 11, 6)
    assert sample.locate(["list", 0, "missing"]) == Location("m.yaml", 11, 5)
    assert sample.locate([]) == Location("m.yaml", 1, 1)


def test_a_character_inside_text_is_located_where_the_text_is_written_as_it_reads(sample: Document) -> None:
    assert sample.locate_inside(["plain"], 5) == Location("m.yaml", 1, 13)
    assert sample.locate_inside(["single"], 5) == Location("m.yaml", 2, 15)
    assert sample.locate_inside(["block"], 6) == Location("m.yaml", 6, 5)
    assert sample.locate_inside(["escaped"], 5) == Location("m.yaml", 3, 10)
    assert sample.locate_inside(["folded"], 5) == Location("m.yaml", 7, 9)


def test_a_value_laid_over_a_document_is_located_where_it_comes_from(sample: Document) -> None:
    origin = Location("environment variable PLAIN")
    changed = sample.overlaid(("plain",), "z", origin).overlaid(("new", "deep"), 1, origin)
    assert changed.data["plain"] == "z"
    assert changed.data["new"] == {"deep": 1}
    assert sample.data["plain"] == "ab ${x..y}"
    assert changed.locate(["plain"]) == origin
    assert changed.locate(["new", "deep", "deeper"]) == origin
    assert changed.locate(["single"]).line == 2
    assert str(changed.problem(origin, "c", "wrong")) == "environment variable PLAIN: error: wrong"
