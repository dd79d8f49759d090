"""The campaign window to the second."""

import orjson
import pytest

from pipeline.calls import CallKind, CallSource, Identity, IdentityKind
from pipeline.records import Record
from pipeline.replay.choices import Choices
from pipeline.replay.sieve import Sieve
from pipeline.translation import Prepared, Translation

NOW = 1_800_000_000
HOUR = 3_600


def nothing(record: Record) -> Translation:
    return Translation()


def call(kind: CallKind, timestamp: int) -> Prepared:
    payload = orjson.dumps({"timestamp": timestamp})
    return Prepared(CallSource("rule", kind), Identity(IdentityKind.ID, "a"), payload, (0,))


@pytest.mark.parametrize(
    ("age_s", "inside"),
    [(71 * HOUR, True), (72 * HOUR, True), (72 * HOUR + 1, False), (73 * HOUR, False), (-100 * HOUR, True)],
)
def test_an_event_of_exactly_72_hours_may_still_trigger_a_campaign(age_s: int, inside: bool) -> None:
    sieve = Sieve(nothing, Choices(), NOW)
    assert sieve.inside_window(Record("t", 0, 0), call(CallKind.TRACK, NOW - age_s)) is inside


def test_an_identify_is_never_inside_the_window() -> None:
    sieve = Sieve(nothing, Choices(), NOW)
    assert not sieve.inside_window(Record("t", 0, 0), call(CallKind.IDENTIFY, NOW))
