"""Events as hypothesis makes them: any JSON value, with names that rules ask for more often than others."""

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(
    [
        "a",
        "b",
        "type",
        "event",
        "user",
        "id",
        "userId",
        "email",
        "items",
        "properties",
        "traits",
        "timestamp",
        "name",
        "x-y",
        "0",
    ]
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just(1773480413),
)
TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "b", "true", "1", "2026-03-14T09:26:53Z", "ada@example.com", "track", "identify", "x" * 200]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
EVENTS = st.one_of(st.dictionaries(NAMES, VALUES, max_size=6), VALUES)
