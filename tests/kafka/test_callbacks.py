"""An exception in a callback of the client costs no record: it comes out of the poll after (known bug 2)."""

from collections.abc import Callable, Sequence

import pytest

from pipeline.kafka.callbacks import Callbacks
from pipeline.records import TopicPartition
from tests.contract.source_driving import Member, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.embedded import EmbeddedBrokerProcess


class OddError(Exception):
    """Something that nobody expects."""


def raise_odd_error() -> None:
    raise OddError


def test_a_guarded_callback_never_raises_and_its_first_exception_is_kept() -> None:
    callbacks = Callbacks()
    callbacks.guard(raise_odd_error)()
    callbacks.keep(ValueError("the second"))
    with pytest.raises(OddError):
        callbacks.raise_kept()
    callbacks.raise_kept()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_a_signal_in_a_callback_is_kept_too(interruption: type[BaseException]) -> None:
    callbacks = Callbacks()

    def interrupt() -> None:
        raise interruption

    callbacks.guard(interrupt)()
    with pytest.raises(interruption):
        callbacks.raise_kept()


class Clumsy(Member):
    """Raises at each event of the group, after taking note of it."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        super().assigned(partitions)
        raise OddError

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        super().revoked(partitions)
        raise OddError


def count_odd_errors(call: Callable[[], None]) -> int:
    try:
        call()
    except OddError:
        return 1
    return 0


def test_a_listener_that_raises_loses_no_record(embedded_broker: EmbeddedBrokerProcess) -> None:
    kafka = OnBroker(embedded_broker, 2)
    for number in range(20):
        kafka.write(number % 2, b"%d" % number)
    member = Clumsy(kafka.source())
    errors = 0
    while len(member.records) < 20:
        errors += count_odd_errors(member.poll)
    assert errors == 1
    assert sorted(r.offset for r in member.records) == sorted(2 * list(range(10)))
    assert count_odd_errors(member.source.close) == 1


def test_polling_with_nothing_wrong_raises_nothing(embedded_broker: EmbeddedBrokerProcess) -> None:
    kafka = OnBroker(embedded_broker, 1)
    kafka.write(0, b"x")
    member = Member(kafka.source())
    poll_until(lambda: bool(member.records), member)
    member.source.close()


def test_a_rebalance_amid_other_callbacks_does_not_abort_the_process(
    embedded_broker: EmbeddedBrokerProcess,
) -> None:
    """The client aborts when a callback made the wrong call and another callback follows in the same consume."""
    kafka = OnBroker(embedded_broker, 2)
    for _ in range(3):
        member = Member(kafka.source(statistics_interval_s=0.01), on_revoked=Member.commit_what_was_read)
        kafka.write(0, b"x")
        poll_until(lambda: bool(member.records), member)  # noqa: B023 - used at once
        for _ in range(10):
            member.source.poll(10, 0.1)
        member.source.close()
    assert kafka.committed(0) == 3
