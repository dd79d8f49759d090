"""The engine and the real delivery under faults: scenarios as data, on virtual time."""

from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.scenarios.receiver import REQUEST_S
from tests.scenarios.stage import DRAINED_WITHIN_S, Stage

SCENARIOS = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text())


@cache
def duration_s(number: int) -> float:
    """Return how long a scenario takes when nobody interferes."""
    stage = Stage(SCENARIOS[number])
    stage.live()
    stage.check()
    stage.check_it_was_met()
    return stage.now


every_scenario = pytest.mark.parametrize(
    "number", range(len(SCENARIOS)), ids=[scenario["name"] for scenario in SCENARIOS]
)


@every_scenario
def test_the_accounting_closes(number: int) -> None:
    assert duration_s(number) < DRAINED_WITHIN_S


@pytest.mark.full
@every_scenario
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_it_closes_over_a_stop_in_the_middle(number: int, part: float) -> None:
    stage = Stage(SCENARIOS[number])
    stage.live(stop_at=part * duration_s(number))
    stage.live()
    stage.check()
    stage.check_it_was_met()


@pytest.mark.full
@every_scenario
def test_it_closes_over_two_signals(number: int) -> None:
    stage = Stage(SCENARIOS[number])
    stop_at = 0.5 * duration_s(number)
    stage.live(stop_at=stop_at, kill_at=stop_at + REQUEST_S / 2)
    stage.live()
    stage.check()
    stage.check_it_was_met()


@pytest.mark.full
@every_scenario
def test_it_closes_over_three_kills(number: int) -> None:
    stage = Stage(SCENARIOS[number])
    for again in range(3):
        stage.live(kill_at=stage.now + 0.3 * duration_s(number) + again * REQUEST_S / 3)
    stage.live()
    stage.check()
    stage.check_it_was_met()
