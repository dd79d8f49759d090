"""Records that wait for a schema: in order, paused, never passed by a commit, and gone with their partition."""

from typing import Any

from pipeline.backpressure import OpenLimits
from pipeline.calls import Reason
from pipeline.decode import SchemaPending, Undecodable, decode_json
from pipeline.engine import EngineOptions
from pipeline.records import Record
from tests.engine_made import P0, P1, Rig, call
from tests.fakes.kafka_log import FakeLog

NEEDS_SCHEMA = b"schema:"
DOWN = "the schema registry does not answer"


class Registry:
    """Decodes JSON; a value that begins with `schema:` only while the registry answers."""

    def __init__(self) -> None:
        self.up = False
        self.trouble: str | None = None
        self.missing = False

    def decode(self, record: Record) -> Any:
        value = record.value or b""
        if not value.startswith(NEEDS_SCHEMA):
            return decode_json(record)
        if self.missing:
            return Undecodable("the registry has no schema 7")
        if not self.up:
            return SchemaPending(7, self.trouble)
        return decode_json(record._replace(value=value.removeprefix(NEEDS_SCHEMA)))


def rig_with(registry: Registry, log: FakeLog | None = None, **options: Any) -> Rig:
    rig = Rig(log, decode=registry.decode, options=EngineOptions(commit_interval_s=1, **options))
    rig.start()
    return rig


def append_waiting(rig: Rig, name: str, partition: int = 0, person: str = "ann") -> Record:
    value = b'schema:[["track", "%b", "%b"]]' % (person.encode(), name.encode())
    return rig.append_value(value, partition)


def test_what_is_behind_a_waiting_record_waits_too_and_goes_on_in_order() -> None:
    registry = Registry()
    rig = rig_with(registry)
    rig.append(call("track", "ann", "a"))
    append_waiting(rig, "b")
    rig.append(call("track", "ann", "c"))
    rig.run_for(10)
    assert rig.delivered == [("ann", "a")]
    assert rig.committed == {P0: 1}
    registry.up = True
    rig.run_for(10)
    assert rig.delivered == [("ann", "a"), ("ann", "b"), ("ann", "c")]
    assert rig.committed == {P0: 3}


def test_only_the_partition_that_waits_is_paused() -> None:
    registry = Registry()
    rig = rig_with(registry)
    append_waiting(rig, "a")
    rig.append(call("track", "bob", "b"), partition=1)
    rig.run_for(5)
    assert rig.source.paused == {P0}
    assert rig.delivered == [("bob", "b")]
    registry.up = True
    rig.run_for(5)
    assert rig.source.paused == set()
    rig.append(call("track", "ann", "c"))
    rig.run_for(5)
    assert rig.committed == {P0: 2, P1: 1}


def test_records_without_calls_behind_a_waiting_one_are_not_committed_past_it() -> None:
    registry = Registry()
    rig = rig_with(registry)
    append_waiting(rig, "a")
    rig.append_value(None)
    rig.append()
    rig.run_for(10)
    assert rig.committed == {}
    registry.up = True
    rig.run_for(10)
    assert rig.committed == {P0: 3}


def test_each_record_is_counted_as_read_once() -> None:
    registry = Registry()
    rig = rig_with(registry)
    append_waiting(rig, "a")
    rig.append(call("track", "ann", "b"))
    rig.run_for(10)
    registry.up = True
    rig.run_for(10)
    assert rig.tally.records == {P0: 2}
    assert rig.tally.settled == {P0: 2}


def test_readiness_says_what_is_waited_for_once_a_look_up_has_failed() -> None:
    registry = Registry()
    rig = rig_with(registry)
    append_waiting(rig, "a")
    rig.run_for(3)
    assert rig.engine.status.ready, "a first look-up is no trouble"
    registry.trouble = DOWN
    rig.run_for(3)
    assert rig.engine.status.reasons == (f"records of events/0 wait for schema 7: {DOWN}",)
    registry.up = True
    rig.run_for(3)
    assert rig.engine.status.ready


def test_a_schema_that_turns_out_to_be_missing_costs_only_its_record() -> None:
    registry = Registry()
    rig = rig_with(registry)
    append_waiting(rig, "a")
    rig.append(call("track", "ann", "b"))
    rig.run_for(3)
    registry.missing = True
    rig.run_for(10)
    assert [entry.reason for entry in rig.dead_letters.safe] == [Reason.UNDECODABLE]
    assert rig.delivered == [("ann", "b")]
    assert rig.committed == {P0: 2}


def test_a_revoke_does_not_wait_for_the_schema_and_whoever_comes_next_reads_again() -> None:
    registry = Registry()
    rig = rig_with(registry)
    rig.append(call("track", "ann", "a"))
    append_waiting(rig, "b")
    rig.run_for(3)
    rig.log.take_away(P0)
    before = rig.clock.monotonic()
    rig.step()
    assert rig.clock.monotonic() - before < 1
    assert rig.committed == {P0: 1}
    registry.up = True
    rig.run_for(3)
    assert rig.delivered == [("ann", "a")], "what waited went with its partition"
    rig.log.give_back(P0)
    rig.run_for(3)
    assert rig.delivered == [("ann", "a"), ("ann", "b")]
    assert rig.committed == {P0: 2}


def test_lost_partitions_that_waited_are_read_again_once() -> None:
    registry = Registry()
    rig = rig_with(registry)
    append_waiting(rig, "a")
    rig.run_for(3)
    rig.source.lose(P0)
    rig.run_for(3)
    assert rig.committed == {}
    registry.up = True
    rig.run_for(5)
    assert rig.delivered == [("ann", "a")]
    assert rig.committed == {P0: 1}


def test_a_partition_that_bounces_while_it_waits_waits_again() -> None:
    registry = Registry()
    rig = rig_with(registry)
    append_waiting(rig, "a")
    rig.append(call("track", "ann", "b"))
    rig.run_for(3)
    rig.source.bounce(P0)
    rig.run_for(3)
    assert rig.source.paused == {P0}
    registry.up = True
    rig.run_for(5)
    assert rig.delivered == [("ann", "a"), ("ann", "b")]
    assert rig.committed == {P0: 2}


def test_stopping_while_records_wait_is_quick_and_commits_up_to_them() -> None:
    registry = Registry()
    rig = Rig(decode=registry.decode)
    rig.append(call("track", "ann", "a"))
    append_waiting(rig, "b")
    started = rig.clock.monotonic()
    rig.engine.run(lambda: rig.clock.monotonic() - started > 1)
    assert rig.clock.monotonic() - started < 2
    assert rig.committed == {P0: 1}


def test_waiting_records_count_towards_the_bytes_that_may_be_open() -> None:
    registry = Registry()
    rig = rig_with(registry, open_limits=OpenLimits(max_bytes=200), poll_max_records=1)
    for number in range(8):
        append_waiting(rig, f"{'x' * 200}-{number}")
    rig.append(call("track", "bob", "b"), partition=1)
    rig.run_for(5)
    assert rig.source.paused == {P0, P1}, "too much is held for the other partition to be read on"
    registry.up = True
    rig.run_for(20)
    assert rig.committed == {P0: 8, P1: 1}


def test_what_is_paused_because_too_much_is_open_stays_paused_while_it_waits() -> None:
    registry = Registry()
    rig = rig_with(registry, open_limits=OpenLimits(max_records=1), poll_max_records=2)
    rig.append(call("track", "ann", "a"))
    append_waiting(rig, "b")
    rig.run_for(5)
    assert rig.delivered == [("ann", "a")]
    assert rig.source.paused == {P0}, "the bound lets go of P1 only; P0 waits for its schema"
