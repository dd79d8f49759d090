"""docs/configuration.md says what the program takes, no more and no less."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.config import Settings
from pipeline.config.reference import render

PROJECT = Path(__file__).parents[2]
UNITS = {
    "seconds",
    "milliseconds",
    "bytes",
    "kilobytes",
    "items",
    "records",
    "requests",
    "calls",
    "second",
    "hours",
    "people",
}
PURE = {"span", "share"}  # a distance in offsets, and a part of one


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}", field


def test_the_reference_is_what_the_models_say() -> None:
    assert (PROJECT / "docs/configuration.md").read_text("utf-8") == render(), "run `make docs`"


def test_every_setting_is_described_and_stands_in_the_reference() -> None:
    for name, field in fields(Settings):
        assert field.description, name
        assert f"| `{name}` |" in render()


def test_every_number_has_its_unit_in_its_name() -> None:
    for name, field in fields(Settings):
        if field.annotation in {int, float}:
            assert re.split(r"[._]", name)[-1] in UNITS | PURE, name
