"""Waiting for a schema outside the engine: until it is there, and not for ever."""

import pytest

from pipeline.decode import SchemaPending
from pipeline.decode.patience import PAUSE_S, asked_until, patient
from pipeline.errors import PipelineError
from pipeline.records import Record

RECORD = Record("orders", 3, 1207)


class Lookup:
    """A decoder whose schema comes after some questions, and a clock that only waiting moves."""

    def __init__(self, answers_after: float, trouble: str | None = None) -> None:
        self.asked = 0
        self.now = 1_000.0
        self._answers_after = answers_after
        self._trouble = trouble

    def ask(self, record: Record) -> str | SchemaPending:
        self.asked += 1
        if self.asked > self._answers_after:
            return f"event of {record.position}"
        return SchemaPending(7, self._trouble)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patient(self, deadline_s: float) -> str:
        return patient(self.ask, deadline_s, monotonic=self.monotonic, sleep=self.sleep)(RECORD)


def test_an_answer_that_is_there_is_not_waited_for() -> None:
    lookup = Lookup(answers_after=0)
    assert lookup.patient(60.0) == "event of orders/3@1207"
    assert lookup.now == 1_000.0


def test_it_asks_until_the_schema_is_there() -> None:
    lookup = Lookup(answers_after=20)
    assert lookup.patient(60.0) == "event of orders/3@1207"
    assert lookup.now == pytest.approx(1_000.0 + 20 * PAUSE_S)


def test_at_the_deadline_the_error_names_the_record_the_schema_and_the_wait() -> None:
    lookup = Lookup(answers_after=1e9)
    with pytest.raises(PipelineError) as error:
        lookup.patient(30.0)
    assert str(error.value) == (
        "orders/3@1207: schema 7 cannot be had: the schema registry did not answer within 30 s"
    )
    assert lookup.now == pytest.approx(1_030.0, abs=2 * PAUSE_S)


def test_what_keeps_the_registry_from_answering_is_told() -> None:
    with pytest.raises(PipelineError, match="schema 7 cannot be had: it is down"):
        Lookup(answers_after=1e9, trouble="it is down").patient(1.0)


def test_who_is_told_to_stop_waits_no_longer() -> None:
    lookup = Lookup(answers_after=1e9)
    is_over = iter([False, False, True])
    ask = patient(lookup.ask, monotonic=lookup.monotonic, sleep=lookup.sleep, stop=lambda: next(is_over))
    with pytest.raises(PipelineError, match="schema 7 cannot be had"):
        ask(RECORD)
    assert lookup.now == pytest.approx(1_000.0 + 2 * PAUSE_S)


def test_every_record_has_the_whole_wait() -> None:
    lookup = Lookup(answers_after=15)
    decode = patient(lookup.ask, 1.0, monotonic=lookup.monotonic, sleep=lookup.sleep)
    decode(RECORD)
    lookup.asked = 0
    assert decode(RECORD) == "event of orders/3@1207"


def test_a_deadline_that_is_over_leaves_one_question() -> None:
    lookup = Lookup(answers_after=5)
    found = asked_until(lookup.ask, RECORD, lookup.now, monotonic=lookup.monotonic, sleep=lookup.sleep)
    assert found == SchemaPending(7)
    assert lookup.asked == 1
    answered = Lookup(answers_after=0)
    assert asked_until(answered.ask, RECORD, 0.0, monotonic=answered.monotonic, sleep=answered.sleep) == (
        "event of orders/3@1207"
    )
