"""docs/sandbox.md names every fault, every question and every outcome."""

from pathlib import Path

import pytest

from pipeline.cli.sandbox import sandbox
from pipeline.sandbox.arrivals import Outcome
from pipeline.sandbox.faults import FaultKind

PAGE = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_is_documented(kind: FaultKind) -> None:
    assert f"`{kind}`" in PAGE


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_documented(outcome: Outcome) -> None:
    assert f"`{outcome}`" in PAGE


@pytest.mark.parametrize("option", [name for parameter in sandbox.params for name in parameter.opts])
def test_every_option_is_documented(option: str) -> None:
    assert option in PAGE
