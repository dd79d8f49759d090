"""A raw request's own retry inputs: they count only when they are given, and for that call alone."""

import asyncio
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.customerio.raw import RawRequest, raw_request_of
from pipeline.customerio.verdicts import DELIVERED, Fatal, Refusal, Refused, Retry, Verdict
from pipeline.delivery.batch import CONFIRMED, Batch, Failed, Operation, Outcome
from pipeline.delivery.delivery import Delivery
from pipeline.delivery.open_record import OpenRecord
from pipeline.delivery.retry import RetryPolicy
from pipeline.records import Record
from tests.fakes.api import FakeApi, unlimited
from tests.operations_made import PARTITION

DOWN = Retry("status 503")
NOT_FOUND = Refused((Refusal("no such thing", status=404),))
WRONG_KEY = Fatal("Customer.io answered 401", "check the API key", 401)


def raw_batch(**inputs: Any) -> Batch:
    payload = orjson.dumps({"type": "raw", "request": {"path": "/v1/x", **inputs}})
    record = OpenRecord(Record("events", 0, 0), PARTITION, calls=1, weight=0)
    source = CallSource("rule", CallKind.RAW, None)
    return Batch(1, (Operation(source, None, payload, record, (0,), 0, 0.0, single=True),))


class Course:
    """One raw call brought to its end over scripted verdicts, the last of which repeats."""

    def __init__(self, *verdicts: Verdict, policy: RetryPolicy | None = None, **inputs: Any) -> None:
        self.api = FakeApi(verdicts[:-1], lambda _: verdicts[-1])
        self.waits: list[float] = []
        delivery = Delivery(
            self.api,
            policy or RetryPolicy(),
            admission=unlimited(),
            random=Random(1),
            sleep=self._sleep,
        )
        result = asyncio.run(asyncio.wait_for(delivery.deliver(raw_batch(**inputs)), 20))
        (self.outcome,) = result.outcomes
        self.held = delivery.hold.cause

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


def reason(outcome: Outcome) -> Reason:
    assert isinstance(outcome, Failed), outcome
    return outcome.reason


def test_without_retry_inputs_the_pipelines_policy_decides() -> None:
    assert Course(*[DOWN] * 30, DELIVERED).outcome == CONFIRMED


def test_retries_are_as_many_as_asked_for_and_then_the_call_alone_is_given_up() -> None:
    course = Course(DOWN, max_retry_count=3, retry_delay_ms=250)
    assert reason(course.outcome) is Reason.RETRIES_EXHAUSTED
    assert len(course.api.attempts) == 4
    assert course.waits == [0.25] * 3
    assert course.held is None


def test_no_retry_at_all_can_be_asked_for() -> None:
    course = Course(DOWN, max_retry_count=0)
    assert reason(course.outcome) is Reason.RETRIES_EXHAUSTED
    assert len(course.api.attempts) == 1


def test_the_backoff_doubles_when_asked_for() -> None:
    course = Course(DOWN, max_retry_count=4, exponential_backoff=True)
    assert course.waits == [0.1, 0.2, 0.4, 0.8]


def test_a_server_that_asks_for_more_time_gets_it() -> None:
    course = Course(Retry("429", wait_s=7.0), DELIVERED, max_retry_count=1, retry_delay_ms=10)
    assert course.waits == [7.0]
    assert course.outcome == CONFIRMED


def test_a_refusal_is_final_unless_all_errors_are_to_be_retried() -> None:
    course = Course(NOT_FOUND, max_retry_count=3)
    assert reason(course.outcome) is Reason.REJECTED
    assert len(course.api.attempts) == 1
    assert (
        Course(NOT_FOUND, NOT_FOUND, DELIVERED, max_retry_count=3, retry_on_all_errors=True).outcome
        == CONFIRMED
    )


def test_a_refusal_after_all_retries_keeps_its_answer() -> None:
    outcome = Course(NOT_FOUND, max_retry_count=2, retry_on_all_errors=True).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.status, outcome.answer, outcome.attempts) == (
        Reason.RETRIES_EXHAUSTED,
        404,
        "no such thing",
        3,
    )


def test_wrong_credentials_hold_however_few_retries_are_asked_for() -> None:
    course = Course(*[WRONG_KEY] * 20, DOWN, DELIVERED, max_retry_count=1)
    assert course.outcome == CONFIRMED
    assert len(course.api.attempts) == 22
    assert any(course.waits[:20]), "a hold is spaced as the pipeline's policy says, not without a pause"


def test_the_pipelines_own_limit_does_not_end_or_hold_a_call_with_its_own_retries() -> None:
    policy = RetryPolicy(max_elapsed_s=0.0, on_exhausted="dead_letter")
    assert Course(*[DOWN] * 5, DELIVERED, policy=policy, max_retry_count=9).outcome == CONFIRMED


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 20), st.integers(0, 30), st.integers(0, 5))
def test_attempts_are_bounded_by_the_count_beside_those_of_a_hold(count: int, downs: int, holds: int) -> None:
    course = Course(*[WRONG_KEY] * holds, *[DOWN] * downs, DELIVERED, max_retry_count=count)
    assert len(course.api.attempts) == holds + min(downs, count) + 1
    assert (course.outcome == CONFIRMED) is (downs <= count)


def test_a_request_that_is_tried_again_is_read_once() -> None:
    payload = raw_batch(max_retry_count=9, body={"number": 77}).operations[0].payload
    first = raw_request_of(payload)
    assert isinstance(first, RawRequest)
    assert (first.max_retry_count, first.body) == (9, {"number": 77})
    assert raw_request_of(bytes(bytearray(payload))) is first
    assert raw_request_of(payload.replace(b"77", b"78")) != first


@pytest.mark.parametrize("inputs", [{"body": {}, "form": {"a": "b"}}, {"methd": "GET"}])
def test_a_request_that_cannot_be_read_is_left_to_the_client_to_refuse(inputs: dict[str, Any]) -> None:
    assert reason(Course(NOT_FOUND, max_retry_count=5, **inputs).outcome) is Reason.REJECTED
