"""Who has not polled for long must not send."""

from pipeline.delivery.lease import Lease


def test_before_the_first_poll_nothing_may_be_sent() -> None:
    assert not Lease(10, 5).holds(0)


def test_it_holds_for_its_time_after_each_poll() -> None:
    lease = Lease(10, 5)
    lease.renew(100)
    assert lease.holds(110)
    assert not lease.holds(110.1)
    lease.renew(109)
    assert lease.holds(119)


def test_after_a_gap_a_poll_alone_does_not_bring_it_back() -> None:
    """A frozen process polls before it hears that its partitions are gone."""
    lease = Lease(10, 5)
    lease.renew(0)
    lease.renew(60)
    assert not lease.holds(60)
    lease.renew(64)
    assert not lease.holds(64.9)
    lease.renew(65)
    assert lease.holds(65)
