"""A process that works for the admin server: it answers, or is ended, and never takes the server along."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from pipeline.errors import PipelineError
from pipeline.operations.helper_process import HelperBusyError, HelperDeadlineError, HelperProcess
from tests.servers.pipeline import wait_until

MODULE = "tests.servers.helper_child"
HERE = {"PYTHONPATH": str(Path(__file__).parents[3])}
LONG_S = 60.0


@pytest.fixture
def helper() -> Iterator[HelperProcess]:
    process = HelperProcess(MODULE, environment=HERE)
    yield process
    process.close()


def ask(helper: HelperProcess, do: str, deadline_s: float = LONG_S, **more: object) -> dict[str, object]:
    answer: dict[str, object] = helper.ask({"do": do, **more}, deadline_s=deadline_s)
    return answer


def test_it_is_one_process_for_many_questions(helper: HelperProcess) -> None:
    first, second = ask(helper, "echo", text="é\n"), ask(helper, "echo")
    assert first["process"] == second["process"] != os.getpid()
    assert first["echo"] == {"do": "echo", "text": "é\n"}


def test_what_takes_too_long_is_ended_and_the_next_question_is_answered(helper: HelperProcess) -> None:
    slow = ask(helper, "echo")["process"]
    with pytest.raises(HelperDeadlineError):
        ask(helper, "sleep", deadline_s=0.2, seconds=LONG_S)
    assert isinstance(slow, int)
    with pytest.raises(ProcessLookupError):
        os.kill(slow, 0)
    assert ask(helper, "echo")["process"] != slow


def test_a_process_that_dies_is_told_and_replaced(helper: HelperProcess) -> None:
    with pytest.raises(PipelineError, match="ended before it was done"):
        ask(helper, "end")
    assert ask(helper, "echo")["echo"] == {"do": "echo"}


def test_a_refusal_is_passed_on_and_a_bug_shows_no_data(helper: HelperProcess) -> None:
    with pytest.raises(PipelineError, match="it cannot be done"):
        ask(helper, "refuse")
    with pytest.raises(PipelineError) as failed:
        ask(helper, "fail")
    assert str(failed.value) == "this is a bug in cio-pipeline: ValueError"


def test_what_is_printed_does_not_get_between_the_answers(helper: HelperProcess) -> None:
    assert ask(helper, "chatter")["echo"] == {"do": "chatter"}


def test_progress_is_told_in_order_before_the_answer(helper: HelperProcess) -> None:
    told: list[int] = []
    helper.ask({"do": "count", "to": 200}, deadline_s=LONG_S, progress=lambda now: told.append(now["at"]))
    assert told == list(range(200))


def test_an_answer_that_is_too_large_to_look_at_is_told(helper: HelperProcess) -> None:
    with pytest.raises(PipelineError, match="can be shown"):
        ask(helper, "much", bytes=9_000_000)


def test_it_does_not_get_the_environment(helper: HelperProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIO_PIPELINE__CUSTOMERIO__API_KEY", "secret")
    assert "CIO_PIPELINE__CUSTOMERIO__API_KEY" not in ask(helper, "environment")


def test_one_question_at_a_time(helper: HelperProcess) -> None:
    ask(helper, "echo")
    asked = Event()

    def occupy() -> None:
        asked.set()
        with pytest.raises(PipelineError):
            ask(helper, "sleep", seconds=LONG_S)

    other = Thread(target=occupy)
    other.start()
    asked.wait()
    wait_until(helper._lock.locked, "busy")
    with pytest.raises(HelperBusyError):
        helper.ask({"do": "echo"}, deadline_s=LONG_S, wait_s=0.05)
    helper.close()
    other.join()


def test_after_it_was_closed_no_process_is_started_for_anybody(helper: HelperProcess) -> None:
    ask(helper, "echo")
    helper.close()
    with pytest.raises(PipelineError, match="the program is coming to its end"):
        ask(helper, "echo")
    assert helper._process is None


def test_a_process_that_nobody_asks_ends_by_itself_and_is_started_again() -> None:
    helper = HelperProcess(MODULE, environment={**HERE, "IDLE_S": "1"})
    first = ask(helper, "echo")["process"]
    process = helper._process
    assert process is not None
    wait_until(lambda: process.poll() is not None, "ended by itself")
    assert ask(helper, "echo")["process"] != first
    helper.close()
