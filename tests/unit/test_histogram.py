"""Histograms: counts by upper bounds, as Prometheus reads them."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.histogram import DELAYS, SECONDS, SHARES, Histogram

values = st.lists(st.floats(min_value=0, max_value=1e6), max_size=200)


def filled(bounds: tuple[float, ...], observed: list[float]) -> Histogram:
    histogram = Histogram(bounds)
    for value in observed:
        histogram.observe(value)
    return histogram


@given(observed=values)
def test_each_bucket_counts_the_values_up_to_its_bound(observed: list[float]) -> None:
    picture = filled(SECONDS, observed).picture()
    assert picture.buckets == tuple(
        (bound, sum(value <= bound for value in observed)) for bound in (*SECONDS, inf)
    )
    assert picture.count == len(observed)
    assert picture.total == pytest.approx(sum(observed))


@given(observed=values.filter(bool), share=st.floats(min_value=0.01, max_value=1))
def test_a_quantile_lies_in_the_bucket_of_the_value_it_stands_for(
    observed: list[float], share: float
) -> None:
    picture = filled(SECONDS, observed).picture()
    exact = next(v for n, v in enumerate(sorted(observed), 1) if n >= share * len(observed))
    estimate = picture.quantile(share)
    assert estimate is not None
    if exact > SECONDS[-1]:
        assert estimate == SECONDS[-1]
    else:
        bounds = (0.0, *SECONDS)
        place = next(n for n, bound in enumerate(bounds) if exact <= bound and n > 0)
        assert bounds[place - 1] <= estimate <= bounds[place]


def test_nothing_observed_has_no_quantile() -> None:
    assert Histogram(SHARES).picture().quantile(0.5) is None


def test_a_picture_does_not_change_with_what_comes_later() -> None:
    histogram = filled(SHARES, [0.5])
    picture = histogram.picture()
    histogram.observe(0.7)
    assert (picture.count, picture.total) == (1, 0.5)


@pytest.mark.parametrize("bounds", [SECONDS, DELAYS, SHARES])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
