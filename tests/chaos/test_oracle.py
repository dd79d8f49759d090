"""The oracle sees every planted bug, and nothing where there is none."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.delivery.lease import Lease
from pipeline.delivery.open_record import OpenRecord
from pipeline.engine import Engine
from pipeline.ports import Source
from pipeline.records import Record
from pipeline.settlement import Settlement
from tests.chaos.harness.stage import GroupMember, Parts, play


class CommitsOnReceipt(GroupMember):
    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        records = super().poll(max_records, timeout_s)
        self.commit({record.topic_partition: record.offset + 1 for record in records})
        return records


class TakesEmptyForNothing(GroupMember):
    """`if message:` is false for a message without a value."""

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        return [record for record in super().poll(max_records, timeout_s) if record.value]


class DropsABatch(GroupMember):
    """What the client does when a callback raises inside `consume`: the batch is gone, the position stays ahead."""

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        records = super().poll(max_records, timeout_s)
        return [] if self.polls % 7 == 0 else records


class LosesWhatNobodyAwaits(GroupMember):
    """A `consume` that is cancelled goes on in its thread, and its result goes nowhere."""

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        if self.polls % 5 == 4:
            super().poll(max_records, timeout_s)
        return super().poll(max_records, timeout_s)


class AcknowledgesLate(Engine):
    """An answer that comes when the partition is long gone still commits its record."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._settlement = _SettlesLate(
            flight=self._flight, dead_letters=self._dead_letters, tally=self._tally
        )
        self._settlement.source = self._source


class _SettlesLate(Settlement):
    source: Source

    def _settle_call(self, opened: OpenRecord) -> bool:
        accepted = super()._settle_call(opened)
        if not opened.partition.alive:
            self.source.commit({opened.record.topic_partition: opened.record.offset + 1})
        return accepted


class AlwaysHolds(Lease):
    """No lease check."""

    def holds(self, now: float) -> bool:
        return True


def test_the_accounting_closes_where_no_bug_is_planted() -> None:
    report = play(Parts())
    assert report.problems() == []
    assert report.sent_again > 0, "the story must make something be sent again, else it proves little"


@pytest.mark.parametrize(
    ("parts", "symptom"),
    [
        (Parts(source=CommitsOnReceipt), "lost"),
        (Parts(source=CommitsOnReceipt), "committed before it arrived"),
        (Parts(source=TakesEmptyForNothing), "lost"),
        (Parts(source=DropsABatch), "lost"),
        (Parts(source=LosesWhatNobodyAwaits), "lost"),
        (Parts(engine=AcknowledgesLate), "committed before it arrived"),
        (Parts(lease=AlwaysHolds), "requests that came late"),
    ],
)
def test_a_planted_bug_is_found(parts: Parts, symptom: str) -> None:
    problems = play(parts).problems()
    assert any(problem.startswith(f"{symptom}: ") for problem in problems), problems
