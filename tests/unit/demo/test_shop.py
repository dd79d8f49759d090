"""The demo's shop: seeded, plausible, and broken where it says so."""

from collections import Counter

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import Reason
from pipeline.demo.shop import ShopRecord, shop_records


def records(count: int = 3_000, seed: int = 1) -> list[ShopRecord]:
    return list(shop_records(count, seed=seed, start_ms=1_790_000_000_000))


def test_the_same_seed_tells_the_same_story_and_another_one_another() -> None:
    assert records(seed=7) == records(seed=7)
    assert records(seed=7) != records(seed=8)


def test_a_few_percent_are_broken_in_every_way() -> None:
    story = records()
    broken = Counter(record.dead_letter for record in story if record.dead_letter)
    assert set(broken) == {Reason.UNDECODABLE, Reason.NO_IDENTITY, Reason.TOO_LARGE}
    assert 0.01 < broken.total() / len(story) < 0.05
    assert any(record.value is None for record in story)


@settings(max_examples=20)
@given(st.integers(1, 400), st.integers(0, 2**32))
def test_nobody_acts_before_signing_up_or_after_being_deleted(count: int, seed: int) -> None:
    present: set[str] = set()
    for record in records(count, seed):
        if record.dead_letter or record.skipped or record.value is None:
            continue
        event = orjson.loads(record.value)
        person = event["user"]["id"]
        assert record.key == person.encode()
        if event["type"] == "user.signed_up":
            present.add(person)
        assert person in present
        if event["type"] == "user.deleted":
            present.remove(person)


def test_time_goes_forward() -> None:
    times = [record.timestamp_ms for record in records()]
    assert times == sorted(times)
