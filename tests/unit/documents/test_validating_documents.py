"""Documents against models: each error has a place and a guess at what was meant."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.documents import DocumentError, Location, parse_document, validate


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Leaf(Strict):
    kind: Literal["leaf"] = "leaf"
    size: int
    start: str | None = Field(None, alias="from")

    @field_validator("size")
    @classmethod
    def _positive(cls, size: int) -> int:
        if size < 1:
            raise ValueError("must be at least 1")
        return size


class Twig(Strict):
    kind: Literal["twig"]
    length: float


class Tree(Strict):
    leaves: tuple[Leaf, ...] = ()
    parts: list[Annotated[Leaf | Twig, Field(discriminator="kind")]] = []
    by_name: dict[str, Leaf | Twig] = {}


def problems_of(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        validate(parse_document(text, "m.yaml"), Tree)
    return [f"{p.location}: {p.code}: {p.text}" for p in caught.value.problems]


def test_a_good_document_becomes_its_model() -> None:
    tree = validate(parse_document("leaves: [{size: 1, from: here}]", "m.yaml"), Tree)
    assert tree == Tree(leaves=(Leaf.model_validate({"size": 1, "from": "here"}),))


def test_all_errors_are_reported_in_the_order_of_the_text() -> None:
    assert problems_of("leaves:\n  - size: big\n    form: x\n  - {}\n  - size: 0\nleafs: 1\n") == [
        "m.yaml:2:11: wrong-value: 'size': input should be a valid integer",
        "m.yaml:3:5: unknown-key: unknown key 'form': did you mean 'from'?",
        "m.yaml:4:5: missing-key: 'size' is missing",
        "m.yaml:5:11: wrong-value: 'size': must be at least 1",
        "m.yaml:6:1: unknown-key: unknown key 'leafs': did you mean 'leaves'?",
    ]


def test_errors_inside_unions_and_maps_are_located_too() -> None:
    assert problems_of("parts:\n  - kind: twig\n    lenght: 1.0\n") == [
        "m.yaml:2:5: missing-key: 'length' is missing",
        "m.yaml:3:5: unknown-key: unknown key 'lenght': did you mean 'length'?",
    ]
    assert "m.yaml:1:25: wrong-value: 'size': must be at least 1" in problems_of(
        "by_name: {oak: {size:   0}}"
    )


def test_a_name_like_no_other_gets_the_list_of_what_is_known() -> None:
    assert problems_of("zzz: 1") == [
        "m.yaml:1:1: unknown-key: unknown key 'zzz' (known: leaves, parts, by_name)"
    ]


def test_a_document_of_the_wrong_shape_is_one_problem_at_its_start() -> None:
    assert len(problems_of("[1, 2]")) == 1
    assert problems_of("")[0].startswith("m.yaml:1:1: wrong-value")


def test_a_value_from_elsewhere_is_blamed_on_where_it_came_from() -> None:
    document = parse_document("leaves: [{size: 1}]", "m.yaml")
    changed = document.overlaid(("leaves", 0, "size"), "x", Location("environment variable SIZE"))
    with pytest.raises(DocumentError, match="environment variable SIZE: error: 'size': input should be"):
        validate(changed, Tree)


def test_an_error_never_shows_the_value() -> None:
    assert "hunter2" not in "".join(problems_of("leaves: [{size: hunter2}]"))
