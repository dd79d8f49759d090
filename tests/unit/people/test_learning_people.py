"""Who is identified survives restarts, crashes, rebalances and the loss of the file."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest

from pipeline.calls import Reason
from pipeline.decode import SchemaPending
from pipeline.decode.patience import patient
from pipeline.errors import PipelineError
from pipeline.people.learning import Learner
from pipeline.people.register import Register
from pipeline.records import Record, TopicPartition
from pipeline.translation import Prepared, Translation
from tests.ghost_stage import P0, P1, Stage


def test_after_a_restart_nothing_is_read_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("profile")
    stage.run_and_stop()
    again = Stage(tmp_path, log=stage.log)
    again.event("event", name="known")
    again.run_for()
    assert again.sent == [("known", "u1")]
    assert again.reads == []


def test_a_lost_file_is_made_anew_from_the_topic_before_anything_is_decided(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("profile", "u1")
    stage.event("profile", "u2")
    stage.event("gone", "u2")
    stage.event("profile", "u3", partition=1)
    stage.run_and_stop()
    again = Stage(tmp_path, log=stage.log, file="another.sqlite")
    again.event("event", "u1", name="known")
    again.event("event", "u2", name="ghost")
    again.event("event", "u3", name="known too", partition=1)
    again.run_until(lambda: again.committed() == 5 and again.committed(P1) == 2)
    assert sorted(again.sent) == [("known", "u1"), ("known too", "u3")]
    assert again.letters == [(Reason.NOT_IDENTIFIED, "ghost", 4)]
    assert set(again.reads) == {(P0, None, 3), (P1, None, 1)}


def test_while_it_is_learned_nothing_is_committed_and_readiness_says_why(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("profile")
    stage.run_and_stop()
    again = Stage(tmp_path, log=stage.log, file="another.sqlite")
    again.unreadable = PipelineError("no broker can be reached")
    again.event("event", name="known")
    again.run_until(lambda: "no broker can be reached" in str(again.engine.status.reasons))
    assert again.engine.status.reasons == ("cannot learn who is identified: no broker can be reached",)
    assert again.committed() == 1
    again.event("event", "u2", partition=1, name="ghost elsewhere")
    again.run_for()
    assert [name for _, name, _ in again.letters] == ["ghost elsewhere"], "other partitions go on"
    again.source.close()


def test_a_partition_that_another_member_had_is_learned_from_where_it_was_left(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("profile", "u1")
    stage.event("event", "u1", name="here")
    stage.run_for()
    stage.log.take_away(P0)
    stage.run_for(1)
    stage.event("profile", "u2")
    stage.log.commit({P0: 3})  # as the other member has done
    stage.log.give_back(P0)
    stage.event("event", "u2", name="known")
    stage.run_until(lambda: stage.committed() == 4)
    assert stage.sent[-1] == ("known", "u2")
    assert stage.reads == [(P0, 2, 3)]
    assert stage.letters == []


def test_a_crash_between_two_commits_loses_nobody(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("profile", "u1")
    stage.run_for()
    stage.event("profile", "u2")
    stage.run_for(0.5)
    stage.crash()
    again = Stage(tmp_path, log=stage.log)
    again.event("event", "u2", name="known")
    again.run_for()
    assert again.sent == [("identify", "u2"), ("known", "u2")]
    assert again.letters == []


def test_a_forgotten_person_counts_as_never_identified(tmp_path: Path) -> None:
    stage = Stage(tmp_path, max_people=2)
    for number in range(4):
        stage.event("profile", f"u{number}")
        stage.run_for(6)
        stage.clock.sleep(86_400)
    stage.event("event", "u0", name="ghost")
    stage.event("event", "u3", name="known")
    stage.run_for()
    assert [name for _, name, _ in stage.letters] == ["ghost"]
    assert stage.sent[-1] == ("known", "u3")


def read_one(
    partition: TopicPartition, start: int | None, end: int, stop: Callable[[], bool]
) -> Iterator[Sequence[Record]]:
    if start is None and end and not stop():
        yield [Record(*partition, 0, None, b"{}")]


@pytest.mark.parametrize("end", [Learner.close, lambda learner: learner.forget(P0)], ids=["close", "forget"])
def test_a_registry_that_is_down_keeps_nobody_from_stopping(
    tmp_path: Path, end: Callable[[Learner], None]
) -> None:
    asked, interrupted = Event(), Event()

    def ask(_: Record) -> Translation | SchemaPending:
        asked.set()
        return SchemaPending(7, "the registry is down")

    def calls_of(record: Record, stop: Callable[[], bool]) -> Iterable[Prepared]:
        try:
            return patient(ask, stop=stop)(record).calls
        finally:
            interrupted.set()

    learner = Learner(read_one, calls_of, lambda: Register(tmp_path / "people.sqlite", 10), time.time)
    learner.learn(P0, 5)
    assert asked.wait(30)
    end(learner)
    assert interrupted.wait(30), "it waits for a minute by itself"
    learner.close()


def test_what_ends_the_learning_ends_the_pipeline_with_its_cause(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.event("profile")
    stage.run_and_stop()
    again = Stage(tmp_path, log=stage.log, file="another.sqlite")
    again.unreadable = MemoryError("a bug")
    again.event("event", name="known")
    with pytest.raises(MemoryError, match="a bug"):
        again.run_until(lambda: False)
    again.source.close()
    assert again.committed() == 1
