"""One batch to its end: what each verdict leads to."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.customerio.verdicts import (
    DELIVERED,
    Delivered,
    Fatal,
    PartlyDelivered,
    Refusal,
    Refused,
    Retry,
    TooLarge,
    Verdict,
)
from pipeline.delivery.batch import ABANDONED, CONFIRMED, Batch, BatchResult, Confirmed, Failed, Operation
from pipeline.delivery.delivery import Delivery
from pipeline.delivery.open_record import OpenRecord
from pipeline.delivery.retry import RetryPolicy, WaitByVerdict
from pipeline.records import Record
from tests.fakes.api import FakeApi, Judge, unlimited
from tests.fakes.virtual_time import run_virtually
from tests.operations_made import PARTITION

WRONG_KEY = Fatal("Customer.io answered 401", "check the API key", 401)


async def until(condition: Callable[[], bool]) -> None:
    """Let the other tasks go on until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - every step of the other tasks is to be seen
            await asyncio.sleep(0)


def batch_of(*names: str, number: int = 1) -> Batch:
    record = OpenRecord(Record("events", 0, 0), PARTITION, calls=len(names), weight=0)
    operations = (
        Operation(CallSource("rule", CallKind.TRACK, name), None, name.encode(), record, (0,), sequence, 0.0)
        for sequence, name in enumerate(names)
    )
    return Batch(number, tuple(operations))


T = TypeVar("T")


class Sleeps:
    """Notes how long it was asked to sleep, and does not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def delivery_over(api: FakeApi, sleeps: Sleeps | None = None, **options: Any) -> Delivery:
    policy = options.pop("policy", RetryPolicy())
    options.setdefault("sleep", sleeps or Sleeps())
    return Delivery(api, policy, admission=unlimited(), random=Random(1), **options)


def deliver(api: FakeApi, batch: Batch, sleeps: Sleeps | None = None) -> BatchResult:
    return run(delivery_over(api, sleeps).deliver(batch))


def test_an_accepted_batch_is_confirmed_at_the_first_attempt() -> None:
    api = FakeApi()
    result = deliver(api, batch_of("a", "b"))
    assert result.outcomes == (CONFIRMED, CONFIRMED)
    assert api.attempts == [["a", "b"]]


def test_trouble_is_retried_until_it_is_over() -> None:
    api, sleeps = FakeApi([Retry("503")] * 40), Sleeps()
    assert deliver(api, batch_of("a"), sleeps).outcomes == (CONFIRMED,)
    assert len(api.attempts) == 41
    assert len(sleeps.seconds) == 40
    assert all(0 <= seconds <= RetryPolicy().max_backoff_s for seconds in sleeps.seconds)


def test_the_server_may_ask_for_a_longer_wait() -> None:
    api, sleeps = FakeApi([Retry("429", wait_s=120.0, throttled=True)]), Sleeps()
    deliver(api, batch_of("a"), sleeps)
    assert 120.0 <= sleeps.seconds[0] <= 121.0


def test_a_confirmed_call_knows_the_status_of_its_answer() -> None:
    assert [found.status for found in outcomes_of(DELIVERED)] == [200, 200]
    assert [found.status for found in outcomes_of(Delivered(202))] == [202, 202]
    partly = PartlyDelivered({1: Refusal("no name", "name", 207)})
    assert [found.status for found in outcomes_of(partly)] == [207, 207]


def outcomes_of(verdict: Verdict) -> list[Confirmed | Failed]:
    result = deliver(FakeApi([verdict]), batch_of("a", "b"))
    return [outcome for outcome in result.outcomes if isinstance(outcome, Confirmed | Failed)]


def test_items_that_207_names_fail_and_the_others_are_confirmed() -> None:
    api = FakeApi([PartlyDelivered({1: Refusal("no name", "name", 207)})])
    first, second, third = deliver(api, batch_of("a", "b", "c")).outcomes
    assert (first, third) == (CONFIRMED, CONFIRMED)
    assert isinstance(second, Failed)
    assert (second.reason, second.field, second.status, second.answer) == (
        Reason.REJECTED,
        "name",
        207,
        "no name",
    )
    assert "no name" not in second.text, "the server's words may hold data and stay out of the safe text"
    assert len(api.attempts) == 1


def refuses(*bad: str, how: Verdict | None = None) -> Judge:
    return lambda names: (
        (how or Refused((Refusal("bad", status=400),))) if set(names) & set(bad) else DELIVERED
    )


def test_a_refused_batch_is_halved_down_to_the_culprits_in_order() -> None:
    names = [f"n{number:02}" for number in range(16)]
    api = FakeApi(judge=refuses("n05", "n11"))
    outcomes = deliver(api, batch_of(*names)).outcomes
    assert [name for name, outcome in zip(names, outcomes, strict=True) if isinstance(outcome, Failed)] == [
        "n05",
        "n11",
    ]
    delivered = [name for attempt in api.attempts if not {"n05", "n11"} & set(attempt) for name in attempt]
    assert delivered == sorted(delivered)


def test_a_batch_that_is_too_large_is_halved_and_a_lone_call_fails() -> None:
    too_large = TooLarge(Refusal("too large", status=413))
    api = FakeApi(judge=lambda names: too_large if len(names) > 2 or "huge" in names else DELIVERED)
    outcomes = deliver(api, batch_of("a", "b", "c", "huge", "e")).outcomes
    assert [isinstance(outcome, Failed) for outcome in outcomes] == [False, False, False, True, False]
    assert isinstance(outcomes[3], Failed)
    assert outcomes[3].reason is Reason.TOO_LARGE


def test_an_error_without_an_index_is_narrowed_down_to_one_item() -> None:
    def judge(names: list[str]) -> Verdict:
        return PartlyDelivered({}, (Refusal("somebody"),)) if "bad" in names else DELIVERED

    outcomes = deliver(FakeApi(judge=judge), batch_of("a", "b", "bad", "d", "e")).outcomes
    assert [isinstance(outcome, Failed) for outcome in outcomes] == [False, False, True, False, False]


def test_an_error_without_an_index_beside_one_with_an_index_sends_the_rest_again() -> None:
    api = FakeApi([PartlyDelivered({0: Refusal("this one")}, (Refusal("somebody"),))])
    outcomes = deliver(api, batch_of("bad", "b", "c")).outcomes
    assert [isinstance(outcome, Failed) for outcome in outcomes] == [True, False, False]
    assert api.attempts == [["bad", "b", "c"], ["b", "c"]]


@given(
    st.lists(st.booleans(), min_size=1, max_size=19),
    st.sampled_from(["400", "413", "207", "unplaced"]),
)
def test_whatever_is_refused_exactly_the_bad_ones_fail(bad: list[bool], how: str) -> None:
    """G4 for every small batch and every way to refuse."""
    names = [f"{'bad' if is_bad else 'ok'}-{number}" for number, is_bad in enumerate(bad)]

    def judge(payloads: list[str]) -> Verdict:
        culprits = {place: Refusal("bad") for place, name in enumerate(payloads) if name.startswith("bad")}
        if not culprits:
            return DELIVERED
        verdicts: dict[str, Verdict] = {
            "400": Refused((Refusal("bad"),)),
            "413": TooLarge(Refusal("too large")),
            "207": PartlyDelivered(culprits),
            "unplaced": PartlyDelivered({}, tuple(culprits.values())),
        }
        return verdicts[how]

    outcomes = deliver(FakeApi(judge=judge), batch_of(*names)).outcomes
    assert [isinstance(outcome, Failed) for outcome in outcomes] == bad


def test_a_wrong_key_holds_and_goes_on_by_itself() -> None:
    async def scenario() -> None:
        api = FakeApi([WRONG_KEY] * 3)
        delivery = delivery_over(api)
        task = asyncio.create_task(delivery.deliver(batch_of("a")))
        await until(lambda: delivery.hold.cause is not None)
        assert delivery.hold.cause == "Customer.io answered 401: check the API key"
        assert (await task).outcomes == (CONFIRMED,)
        assert delivery.hold.cause is None

    run(scenario())


def test_while_delivery_holds_only_one_batch_probes() -> None:
    async def scenario() -> None:
        api = FakeApi(judge=lambda _: WRONG_KEY)
        delivery = delivery_over(api)
        tasks = [asyncio.create_task(delivery.deliver(batch_of(f"b{n}", number=n))) for n in range(5)]
        await until(lambda: len(api.attempts) >= 30)
        probes = [names[0] for names in api.attempts[5:]]
        assert len(set(probes)) == 1, "more than one batch kept asking"
        api.judge = lambda _: DELIVERED
        results = await asyncio.gather(*tasks)
        assert all(result.outcomes == (CONFIRMED,) for result in results)

    run(scenario())


def test_when_the_probing_batch_is_given_up_another_takes_its_place() -> None:
    async def scenario() -> None:
        api = FakeApi(judge=lambda _: WRONG_KEY)
        delivery = delivery_over(api)
        first = asyncio.create_task(delivery.deliver(batch_of("first", number=1)))
        await until(lambda: len(api.attempts) >= 3)
        second = asyncio.create_task(delivery.deliver(batch_of("second", number=2)))
        await asyncio.sleep(0)
        first.cancel()
        assert (await first).outcomes == (ABANDONED,)
        api.judge = lambda _: DELIVERED
        assert (await asyncio.wait_for(second, 5)).outcomes == (CONFIRMED,)

    run(scenario())


def test_a_large_batch_that_is_refused_throughout_holds_instead_of_draining() -> None:
    """G6: a mapping or a workspace that breaks everything must not pour the topic into the dead letters."""

    async def scenario() -> None:
        everything_bad = lambda names: PartlyDelivered({i: Refusal("bad") for i in range(len(names))})  # noqa: E731
        api = FakeApi(judge=everything_bad)
        delivery = delivery_over(api)
        task = asyncio.create_task(delivery.deliver(batch_of(*(str(n) for n in range(20)))))
        await until(lambda: len(api.attempts) >= 10)
        assert not task.done()
        assert "every one of 20 calls" in (delivery.hold.cause or "")
        api.judge = lambda _: DELIVERED
        assert (await task).outcomes == (CONFIRMED,) * 20
        assert delivery.hold.cause is None

    run(scenario())


def test_a_small_batch_of_bad_calls_is_just_that() -> None:
    api = FakeApi(judge=lambda names: PartlyDelivered({i: Refusal("bad") for i in range(len(names))}))
    assert all(
        isinstance(outcome, Failed) for outcome in deliver(api, batch_of(*map(str, range(19)))).outcomes
    )


def test_a_cancelled_batch_keeps_what_was_confirmed_and_abandons_the_rest() -> None:
    async def scenario() -> None:
        def judge(names: list[str]) -> Verdict:
            return Refused(()) if len(names) == 4 else DELIVERED if names == ["a", "b"] else Retry("503")

        delivery = delivery_over(api := FakeApi(judge=judge))
        task = asyncio.create_task(delivery.deliver(batch_of("a", "b", "c", "d")))
        await until(lambda: len(api.attempts) >= 4)
        task.cancel()
        assert (await task).outcomes == (CONFIRMED, CONFIRMED, ABANDONED, ABANDONED)

    run(scenario())


def test_without_a_lease_nothing_is_sent() -> None:
    api = FakeApi()
    delivery = delivery_over(api, may_send=lambda: False)
    assert run(delivery.deliver(batch_of("a"))).outcomes == (ABANDONED,)
    assert api.attempts == []


def test_a_lease_that_lapses_between_attempts_ends_the_retries() -> None:
    api = FakeApi(judge=lambda _: Retry("503"))
    delivery = delivery_over(api, may_send=lambda: len(api.attempts) < 3)
    assert run(delivery.deliver(batch_of("a"))).outcomes == (ABANDONED,)
    assert len(api.attempts) == 3


class Ticking:
    """A clock that moves by a second each time it is read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


def test_retries_without_a_limit_have_no_end() -> None:
    api = FakeApi([Retry("503")] * 500)
    assert run(delivery_over(api, monotonic=Ticking()).deliver(batch_of("a"))).outcomes == (CONFIRMED,)


def test_exhausted_retries_end_in_the_dead_letters_when_that_was_chosen() -> None:
    api = FakeApi(judge=lambda _: Retry("503"))
    policy = RetryPolicy(max_elapsed_s=100, on_exhausted="dead_letter")
    outcomes = run(
        delivery_over(api, policy=policy, monotonic=Ticking()).deliver(batch_of("a", "b"))
    ).outcomes
    assert all(
        isinstance(outcome, Failed) and outcome.reason is Reason.RETRIES_EXHAUSTED for outcome in outcomes
    )
    assert 10 < len(api.attempts) < 100


def test_exhausted_retries_hold_otherwise_and_go_on_when_it_is_over() -> None:
    async def scenario() -> None:
        api = FakeApi(judge=lambda _: Retry("503"))
        policy = RetryPolicy(max_elapsed_s=100)
        delivery = delivery_over(api, policy=policy, monotonic=Ticking())
        task = asyncio.create_task(delivery.deliver(batch_of("a")))
        await until(lambda: delivery.hold.cause is not None)
        assert "503" in (delivery.hold.cause or "")
        api.judge = lambda _: DELIVERED
        assert (await task).outcomes == (CONFIRMED,)
        assert delivery.hold.cause is None

    run(scenario())


def test_while_delivery_holds_for_another_reason_no_retries_are_exhausted() -> None:
    api = FakeApi([WRONG_KEY] * 300)
    policy = RetryPolicy(max_elapsed_s=10, on_exhausted="dead_letter")
    assert run(delivery_over(api, policy=policy, monotonic=Ticking()).deliver(batch_of("a"))).outcomes == (
        CONFIRMED,
    )


def test_time_in_a_hold_is_no_time_of_retrying() -> None:
    """A key that is wrong for an hour, then one 503 each: nobody has been tried for the ten minutes that are given."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        answered: list[str] = []

        def judge(names: list[str]) -> Verdict:
            if loop.time() < 3_600:
                return WRONG_KEY
            answered.append(names[0])
            return Retry("503") if answered.count(names[0]) == 1 else DELIVERED

        delivery = delivery_over(
            FakeApi(judge=judge),
            sleep=asyncio.sleep,
            monotonic=loop.time,
            policy=RetryPolicy(max_elapsed_s=600, on_exhausted="dead_letter"),
        )
        probing = asyncio.create_task(delivery.deliver(batch_of("probing", number=1)))
        await asyncio.sleep(1)
        waiting = asyncio.create_task(delivery.deliver(batch_of("waiting", number=2)))
        assert (await probing).outcomes == (CONFIRMED,)
        assert (await waiting).outcomes == (CONFIRMED,)
        assert answered == ["probing", "probing", "waiting", "waiting"]

    run_virtually(scenario())


@given(st.integers(1, 10_000), st.integers(0, 2**32))
def test_backoff_is_between_nothing_and_its_ceiling(attempt: int, seed: int) -> None:
    policy = RetryPolicy(initial_backoff_s=0.5, max_backoff_s=20)
    ceiling = min(20.0, 0.5 * 2.0 ** min(attempt - 1, 60))
    assert 0 <= policy.backoff_s(attempt, Random(seed)) <= ceiling


def test_the_wait_without_an_outcome_is_the_backoff() -> None:
    from tenacity import AsyncRetrying, RetryCallState  # noqa: PLC0415

    state = RetryCallState(AsyncRetrying(), None, (), {})
    assert 0 <= WaitByVerdict(RetryPolicy(), Random(1))(state) <= RetryPolicy().initial_backoff_s


def test_a_verdict_outside_the_closed_set_is_a_bug_and_shows() -> None:
    with pytest.raises(AssertionError, match="no verdict"):
        deliver(FakeApi([object()]), batch_of("a"))  # type: ignore[list-item]
