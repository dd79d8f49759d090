"""No deletion settles before its receipt is safe; the engine around it is the real one."""

import orjson
import pytest

from pipeline.calls import CallKind, Reason
from pipeline.delivery.batch import CONFIRMED, Batch, Failed, Outcome
from pipeline.receipts.receipt import hashed_name, plain_name
from pipeline.receipts.sender import ReceiptedSender
from pipeline.records import Position
from tests.engine_made import P0, make_engine
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.kafka_log import FakeLog
from tests.fakes.receipts import FakeReceipts
from tests.fakes.sender import FakeSender, confirm_all
from tests.fakes.source import FakeSource

SENT_TO = "https://track.customer.io"


class Stage:
    """One engine whose sender leaves receipts."""

    def __init__(self, log: FakeLog | None = None) -> None:
        self.clock = FakeClock()
        self.log = log or FakeLog({"events": 1})
        self.source = FakeSource(self.log, idle=self.clock.sleep)
        self.receipts = FakeReceipts()
        self.inner = FakeSender(self.clock, confirm_all)
        self.sender = ReceiptedSender(self.inner, self.receipts, self.clock, name=plain_name, sent_to=SENT_TO)
        self.engine = make_engine(
            source=self.source, sender=self.sender, store=FakeDeadLetters(), clock=self.clock
        )
        self._started = False

    def append(self, *calls: list[str]) -> None:
        self.log.append("events", 0, orjson.dumps(calls))

    def run_for(self, seconds: float) -> None:
        if not self._started:
            self._started = True
            self.source.start(self.engine)
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.engine.step()

    def run_and_stop(self, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        self.engine.run(lambda: self.clock.monotonic() >= until)

    @property
    def committed(self) -> int:
        return self.log.committed.get(P0, 0)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_each_accepted_destroy_and_suppression_leaves_a_receipt_and_nothing_else_does(stage: Stage) -> None:
    stage.append(["identify", "u1"], ["destroy", "u2"])
    stage.append(["track", "u1", "e"])
    stage.append(["suppress", "u3"], ["unsuppress", "u4"])
    stage.run_for(10)
    found = {(each.kind, each.person, each.position) for each in stage.receipts.safe}
    assert found == {
        (CallKind.DESTROY, "u2", Position("events", 0, 0)),
        (CallKind.SUPPRESS, "u3", Position("events", 0, 2)),
    }
    assert {(each.rule, each.sent_to) for each in stage.receipts.safe} == {("rule", SENT_TO)}
    assert stage.committed == 3


def test_while_receipts_cannot_be_kept_nothing_is_committed_past_a_deletion_and_delivery_holds(
    stage: Stage,
) -> None:
    stage.append(["track", "u1", "before"])
    stage.run_for(1)
    stage.receipts.broken = "the disk is full"
    stage.append(["destroy", "u2"])
    stage.run_for(10)
    stage.append(["track", "u1", "after"])
    stage.run_for(20)
    assert stage.committed == 1
    assert stage.engine.status.reasons == ("deletion receipts cannot be kept: the disk is full",)
    sent = [op.source.name for batch in stage.inner.sent for op in batch.operations]
    assert "after" not in sent
    stage.receipts.broken = None
    stage.run_for(10)
    assert stage.committed == 3
    assert len(stage.receipts.safe) == 1, "the destroy was confirmed once and is not sent again"
    assert stage.engine.status.ready


def test_a_stop_without_receipts_leaves_the_deletion_to_the_next_start(stage: Stage) -> None:
    stage.receipts.broken = "the disk is full"
    stage.append(["destroy", "u1"])
    stage.run_and_stop(5)
    assert stage.committed == 0
    again = Stage(stage.log)
    again.run_for(10)
    assert [each.person for each in again.receipts.safe] == ["u1"]
    assert again.committed == 1


def test_a_stop_does_not_wait_for_receipts_that_cannot_be_kept(stage: Stage) -> None:
    stage.receipts.broken = "the disk is full"
    stage.append(["destroy", "u1"])
    stage.run_and_stop(5)
    assert stage.clock.monotonic() < 6
    assert stage.receipts.closed


def test_a_refused_deletion_leaves_no_receipt(stage: Stage) -> None:
    def refuse(batch: Batch) -> list[Outcome]:
        return [
            Failed(Reason.REJECTED, "refused") if op.kind is CallKind.DESTROY else CONFIRMED
            for op in batch.operations
        ]

    stage.inner.answer = refuse
    stage.append(["destroy", "u1"])
    stage.append(["suppress", "u2"])
    stage.run_for(10)
    assert [each.person for each in stage.receipts.safe] == ["u2"]
    assert stage.committed == 2


def test_a_hashed_name_is_the_same_for_one_person_and_tells_nothing_without_the_key() -> None:
    receipts, clock = FakeReceipts(), FakeClock()
    inner = FakeSender(clock)
    name = hashed_name(b"a secret key")
    sender = ReceiptedSender(inner, receipts, clock, name=name, sent_to=SENT_TO)
    log = FakeLog({"events": 1})
    source = FakeSource(log, idle=clock.sleep)
    engine = make_engine(source=source, sender=sender, store=FakeDeadLetters(), clock=clock)
    source.start(engine)
    for _ in range(2):
        log.append("events", 0, orjson.dumps([["destroy", "ada@example.com"]]))
    while clock.monotonic() < 10:
        engine.step()
    first, second = receipts.safe
    assert first.person == second.person
    assert "ada" not in first.person
    assert first.hashed
    assert hashed_name(b"another key") is not name
