"""What a person sees of a replay: how far each partition is, at which rate, and what became of it."""

import io

from rich.console import Console

from pipeline.calls import CallKind, Reason
from pipeline.cli.replay_display import moving
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record, TopicPartition
from pipeline.replay.sieve import LeftOut
from pipeline.replay.views import Reading, RunView, plan_table
from pipeline.tally import Tally
from tests.servers.pipeline import wait_until

ERASE_LINE = "\x1b[2K"
FIRST, SECOND = TopicPartition("orders", 0), TopicPartition("orders", 1)
RANGES = {FIRST: ReplayRange(1_000, 3_000), SECOND: ReplayRange(0, 500, since_ms=0, before_ms=1_000)}


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now


def text_of(drawn: object) -> str:
    output = io.StringIO()
    Console(file=output, width=200).print(drawn)
    return output.getvalue()


def halfway() -> tuple[RunView, Clock]:
    """A replay that has done 1,000 of its 2,500 offsets in ten seconds."""
    positions, tally, clock = {FIRST: 1_000, SECOND: 0}, Tally(), Clock()
    left_out = {LeftOut.IRREVERSIBLE: 7}
    view = RunView(RANGES, positions, tally, left_out, monotonic=clock.monotonic)
    positions.update({FIRST: 1_500, SECOND: 500})
    clock.now += 10
    tally.delivered[CallKind.TRACK] = 1_234
    tally.dead_letters[Reason.MAPPING_ERROR] = 3
    tally.skipped["unmatched"] = 12
    return view, clock


def test_a_line_says_how_far_how_fast_and_what_became_of_it() -> None:
    view, _ = halfway()
    assert view.line() == (
        "1,000 of 2,500 offsets, 100 a second, 15 s left; delivered 1,234, skipped 12, left out 7, dead letters 3"
    )


def test_nothing_is_estimated_before_anything_is_done() -> None:
    view = RunView(RANGES, {FIRST: 1_000, SECOND: 0}, Tally(), {}, monotonic=Clock().monotonic)
    assert "no estimate yet" in view.line()


def test_what_was_done_before_an_interruption_does_not_make_the_rate_better() -> None:
    clock = Clock()
    positions = {FIRST: 2_000, SECOND: 500}
    view = RunView(RANGES, positions, Tally(), {}, monotonic=clock.monotonic)
    positions[FIRST] = 2_100
    clock.now += 1
    assert view.line().startswith("100 of 1,000 offsets, 100 a second, 9 s left")


def test_a_table_has_a_row_for_each_partition() -> None:
    view, _ = halfway()
    rows = [line.split() for line in text_of(view.drawing()).splitlines()]
    assert ["orders/0", "1,500", "3,000", "25%"] in rows
    assert ["orders/1", "500", "500", "100%"] in rows


def test_the_plan_shows_offsets_and_times() -> None:
    rows = [
        " ".join(line.split()) for line in text_of(plan_table(RANGES, {FIRST: 1_200, SECOND: 0})).splitlines()
    ]
    assert "orders/0 1,000 3,000 1,200" in rows
    assert "orders/1 0 500 0 from 1970-01-01 00:00:00Z to before 1970-01-01 00:00:01Z" in rows


def test_reading_says_what_for() -> None:
    clock = Clock()
    reading = Reading("counting", RANGES, monotonic=clock.monotonic)
    clock.now += 2
    reading.add([Record("orders", 0, 1_000)] * 400)
    assert reading.line() == "counting: 400 records of 2,500 offsets, 200 a second"


def test_without_a_terminal_there_are_plain_lines_now_and_then() -> None:
    output = io.StringIO()
    view, _ = halfway()
    with moving(Console(file=output), view.line, view.drawing, line_every_s=0.01):
        wait_until(lambda: output.getvalue().count("\n") >= 3, "three lines", 60)
    assert set(output.getvalue().splitlines()) == {view.line()}


def test_in_a_terminal_there_is_a_table_that_goes_when_it_is_over() -> None:
    output = io.StringIO()
    view, _ = halfway()
    with moving(Console(file=output, force_terminal=True, width=200), view.line, view.drawing):
        wait_until(lambda: "orders/1" in output.getvalue(), "the table", 60)
    assert "15 s left" in output.getvalue()
    assert output.getvalue().count(ERASE_LINE) >= 2 + len(RANGES), "its lines are taken away again"
