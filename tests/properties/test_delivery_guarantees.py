"""G1 to G4 on the engine with the real delivery, over drawn faults, rebalances, stops and kills on virtual time.

Batches succeed, fail, are split and sent again, hold and are given up, while partitions go and come back. Whatever the
interleaving: no lane is in two batches, an operation is settled at most once in an assignment, each person's calls
first arrive in order, and in the end every call is delivered or a dead letter.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.engine_made import P0, P1
from tests.fakes.source import FakeSource
from tests.scenarios.receiver import ODD_ANSWERS
from tests.scenarios.stage import Stage

HORIZON_S = 40.0
HEALED_WITHIN_S = 600.0

lasting = st.floats(0.01, 10.0)
phases = st.one_of(
    st.fixed_dictionaries({"ok": lasting}),
    st.fixed_dictionaries({"down": lasting}),
    st.fixed_dictionaries({"unknown": lasting}),
    st.fixed_dictionaries({"flapping": lasting}),
    st.fixed_dictionaries({"slow": lasting, "latency_s": st.sampled_from([0.5, 3.0])}),
    st.fixed_dictionaries({"status": st.sampled_from([401, 404, 408, 429, 500, 503]), "lasts": lasting}),
    st.fixed_dictionaries({"status": st.just(429), "lasts": lasting, "retry_after_s": st.integers(0, 20)}),
    st.fixed_dictionaries({"status": st.just(200), "lasts": lasting, "body": st.just("<html>")}),
)
scenarios = st.fixed_dictionaries(
    {
        "records": st.integers(1, 30),
        "phases": st.lists(phases, max_size=4),
        "bad": st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        "how": st.sampled_from(sorted(ODD_ANSWERS)),
        "poison": st.sets(st.integers(0, 29), max_size=8),
        "one_a_request": st.booleans(),
        "dead_letters_down": st.tuples(st.floats(0, 10), st.floats(0, 30)),
        "requests_per_s": st.sampled_from([5.0, 50.0, 1e6]),
    }
)
rebalances = st.lists(
    st.tuples(
        st.floats(0, HORIZON_S),
        st.sampled_from(["lose", "bounce", "take", "give"]),
        st.sampled_from([P0, P1]),
    ),
    max_size=8,
).map(sorted)
ends = st.lists(st.tuples(st.sampled_from(["stop", "kill", "two signals"]), st.floats(0.0, 15.0)), max_size=3)


class Group:
    """Carries out rebalances when their time has come."""

    def __init__(self, stage: Stage, rebalances: list[tuple[float, str, Any]]) -> None:
        self._stage = stage
        self._left = rebalances

    def disturb(self, now: float, source: FakeSource) -> None:
        while self._left and self._left[0][0] <= now:
            _, how, partition = self._left.pop(0)
            log = self._stage.log
            {"lose": source.lose, "bounce": source.bounce, "take": log.take_away, "give": log.give_back}[how](
                partition
            )


def moments(how: str, at: float) -> Mapping[str, float]:
    """Return what `Stage.live` is told of an end at this time."""
    return {
        "stop": {"stop_at": at},
        "kill": {"kill_at": at},
        "two signals": {"stop_at": at, "kill_at": at + 0.5},
    }[how]


@pytest.mark.full
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios, rebalances, ends)
def test_the_accounting_closes_whatever_happens(
    scenario: dict[str, Any], rebalances: list[tuple[float, str, Any]], ends: list[tuple[str, float]]
) -> None:
    scenario["poison"] = [number for number in scenario["poison"] if number < scenario["records"]]
    stage = Stage(scenario)
    group = Group(stage, list(rebalances))
    for how, after_s in ends:
        stage.live(disturb=group.disturb, **moments(how, stage.now + after_s))
        note(f"{how} at {stage.now:.3f}")
    stage.log.give_back(P0, P1)
    stage.live(stop_at=stage.now + HEALED_WITHIN_S)
    stage.check()
