"""Waiting for schemas, for those who have time; the engine reads on meanwhile and has a way of its own."""

import time
from collections.abc import Callable
from typing import TypeVar

from pipeline.decode.outcomes import SchemaPending
from pipeline.errors import PipelineError
from pipeline.records import Record

DEADLINE_S = 60.0
PAUSE_S = 0.05

_T = TypeVar("_T")


def asked_until(
    ask: Callable[[Record], _T | SchemaPending],
    record: Record,
    deadline: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    stop: Callable[[], bool] = lambda: False,
) -> _T | SchemaPending:
    """Ask about a record until its schema is there, until `deadline` by `monotonic`, or `stop`; always once."""
    while True:
        answer = ask(record)
        if not isinstance(answer, SchemaPending) or monotonic() >= deadline or stop():
            return answer
        sleep(PAUSE_S)


def patient(
    ask: Callable[[Record], _T | SchemaPending],
    deadline_s: float = DEADLINE_S,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    stop: Callable[[], bool] = lambda: False,
) -> Callable[[Record], _T]:
    """Return a function that asks until there is an answer, for `deadline_s` seconds a record or until `stop`.

    The function raises PipelineError where the schema cannot be had.
    """

    def answered(record: Record) -> _T:
        deadline = monotonic() + deadline_s
        answer = asked_until(ask, record, deadline, monotonic=monotonic, sleep=sleep, stop=stop)
        if isinstance(answer, SchemaPending):
            why = answer.trouble or f"the schema registry did not answer within {deadline_s:g} s"
            raise PipelineError(f"{record.position}: schema {answer.schema_id} cannot be had: {why}")
        return answer

    return answered
