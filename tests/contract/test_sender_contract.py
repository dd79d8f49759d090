"""What every sender does: one result for each batch, whatever happens. Runs on the fake and on the real thread."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from random import Random

import pytest

from pipeline.customerio.verdicts import DELIVERED, Retry, Verdict
from pipeline.delivery.batch import ABANDONED, CONFIRMED, Batch, BatchResult
from pipeline.delivery.delivery import Delivery
from pipeline.delivery.retry import RetryPolicy
from pipeline.delivery.sender import ThreadedSender
from pipeline.ports import Sender
from pipeline.receipts.receipt import plain_name
from pipeline.receipts.sender import ReceiptedSender
from tests.fakes.api import FakeApi, unlimited
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import FakeReceipts
from tests.fakes.sender import FakeSender
from tests.operations_made import make_operation


def batch(number: int, *names: str) -> Batch:
    return Batch(number, tuple(make_operation(name=name) for name in names or ("e",)))


class SlowApi(FakeApi):
    """Never answers a call named `hang` (its payload has 7 bytes)."""

    async def send_batch(self, payloads: object) -> Verdict:
        if any(len(payload) == 7 for payload in payloads):  # type: ignore[attr-defined]
            await asyncio.Event().wait()
        return DELIVERED


def hanging(number: int) -> Batch:
    return Batch(number, (make_operation(size=7),))


async def open_slow_courier() -> tuple[Delivery, Callable[[], Awaitable[None]]]:
    async def release() -> None:
        await asyncio.sleep(0)

    return Delivery(SlowApi(), RetryPolicy(), admission=unlimited(), random=Random(1)), release


@pytest.fixture(params=["fake", "receipted", "thread"])
def sender(request: pytest.FixtureRequest) -> Iterator[Sender]:
    made: Sender
    if request.param == "thread":
        made = ThreadedSender(open_slow_courier, max_in_flight=4)
    else:
        clock = FakeClock()
        made = FakeSender(
            clock,
            lambda sent: None if len(sent.operations[0].payload) == 7 else [CONFIRMED] * len(sent.operations),
        )
        if request.param == "receipted":
            made = ReceiptedSender(made, FakeReceipts(), clock, name=plain_name, sent_to="here")
    yield made
    made.close()


def collect(sender: Sender, count: int) -> list[BatchResult]:
    found: list[BatchResult] = []
    deadline = time.monotonic() + 10
    while len(found) < count and time.monotonic() < deadline:
        found += sender.results(0.05)
    return found


def test_every_batch_gets_one_result(sender: Sender) -> None:
    batches = [batch(number, "a", "b") for number in range(20)]
    for sent in batches:
        sender.submit(sent)
    results = collect(sender, 20)
    assert {id(result.batch) for result in results} == {id(sent) for sent in batches}
    assert all(list(result.outcomes) == [CONFIRMED, CONFIRMED] for result in results)
    assert sender.results(0.05) == []


def test_without_a_batch_there_is_no_result(sender: Sender) -> None:
    assert sender.results(0.0) == []
    assert sender.results(0.01) == []


def test_an_abandoned_batch_comes_back_abandoned_and_the_others_do_not(sender: Sender) -> None:
    sender.submit(hanging(1))
    sender.submit(hanging(2))
    assert sender.results(0.05) == []
    sender.abandon([1, 77])
    (result,) = collect(sender, 1)
    assert result.batch.number == 1
    assert list(result.outcomes) == [ABANDONED]
    assert sender.results(0.05) == []


def test_abandoning_a_batch_at_once_still_gives_its_one_result(sender: Sender) -> None:
    for number in range(50):
        sender.submit(hanging(number))
        sender.abandon([number])
    assert sorted(result.batch.number for result in collect(sender, 50)) == list(range(50))
    assert sender.results(0.05) == []


def test_abandoning_what_is_done_changes_nothing(sender: Sender) -> None:
    sender.submit(batch(1))
    assert len(collect(sender, 1)) == 1
    sender.abandon([1])
    assert sender.results(0.05) == []


def test_closing_does_not_wait_for_what_hangs(sender: Sender) -> None:
    sender.submit(hanging(1))
    sender.close()
    sender.close()


def test_a_courier_that_cannot_be_opened_says_so_to_the_one_who_opens_it() -> None:
    async def broken() -> tuple[Delivery, Callable[[], Awaitable[None]]]:
        await asyncio.sleep(0)
        raise ValueError("no such region")

    with pytest.raises(ValueError, match="no such region"):
        ThreadedSender(broken, max_in_flight=1)


def test_a_bug_in_the_courier_reaches_the_engine_instead_of_losing_a_batch() -> None:
    async def open_broken() -> tuple[Delivery, Callable[[], Awaitable[None]]]:
        async def release() -> None:
            await asyncio.sleep(0)

        api = FakeApi([Retry("once"), object()])  # type: ignore[list-item]
        return Delivery(
            api, RetryPolicy(initial_backoff_s=0.001), admission=unlimited(), random=Random(1)
        ), release

    sender = ThreadedSender(open_broken, max_in_flight=1)
    sender.submit(batch(1))
    with pytest.raises(AssertionError, match="no verdict"):
        collect(sender, 1)
    sender.close()
