"""A replay for people: tables for a terminal, and lines of text where there is none."""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record, TopicPartition
from pipeline.replay.bill import Bill
from pipeline.replay.sieve import LeftOut
from pipeline.replay.summary import Summary
from pipeline.tally import Tally

Ranges = Mapping[TopicPartition, ReplayRange]

WHY_LEFT_OUT: Mapping[str, str] = {
    LeftOut.OTHER_RULE: "made by other rules (--rules)",
    LeftOut.OTHER_PERSON: "about other people (--people)",
    LeftOut.TOO_RECENT: "too recent (--older-than, --drop-recent)",
    LeftOut.IRREVERSIBLE: "irreversible (--allow-irreversible sends them)",
    LeftOut.ERASED_LATER: "about people erased later (--include-erased sends them)",
    LeftOut.CAME_BACK: "would erase people who came back (--include-erased sends them)",
    LeftOut.FOLDED: "carried by another identify (--identify fold)",
}


def plan_table(ranges: Ranges, positions: Mapping[TopicPartition, int]) -> Table:
    """Return the ranges, one row a partition."""
    table = _table("partition", "from", "to before", "stands at", "records with a time")
    for name, each in sorted(ranges.items()):
        table.add_row(str(name), f"{each.start:,}", f"{each.end:,}", f"{positions[name]:,}", _times(each))
    return table


def bill_table(bill: Bill) -> Table:
    """Return a bill."""
    table = _pairs()
    table.add_row("records", f"{bill.records:,}", f"{bill.skipped:,} meant for nobody")
    table.add_row("calls", f"{sum(bill.calls.values()):,}", _listed(bill.calls))
    table.add_row("bytes of calls", f"{bill.bytes:,}", "")
    table.add_row("people", f"{bill.people:,}", "different identities")
    table.add_row("dead letters", f"{sum(bill.dead_letters.values()):,}", _listed(bill.dead_letters))
    table.add_row("  of them too large", f"{bill.oversize:,}", "")
    for reason, count in bill.left_out.items():
        detail = f": {_listed(bill.irreversible)}" if reason == LeftOut.IRREVERSIBLE else ""
        table.add_row("left out", f"{count:,}", WHY_LEFT_OUT[reason] + detail)
    table.add_row(
        "requests", f"{bill.requests_least:,} to {bill.requests_most:,}", "while nothing is tried again"
    )
    table.add_row("minutes", f"{bill.minutes:g}", "at most, at the rate limit")
    if bill.oldest is not None and bill.newest is not None:
        table.add_row("age of events", f"{_date(bill.oldest)} to {_date(bill.newest)}", _listed(bill.ages))
    window = f"events not older than {bill.window_hours:g} h: they may trigger campaigns"
    table.add_row("inside the window", f"{bill.inside_window:,}", window)
    if bill.sample < 1.0:
        table.add_row(
            "extrapolated", "", f"from {bill.sample:.3%} of the keys; only the records were all counted"
        )
    return table


def summary_table(summary: Summary) -> Table:
    """Return the end of a replay."""
    table = _pairs()
    rate = summary.records / max(summary.seconds, 0.001)
    table.add_row("records read", f"{summary.records:,}", f"{rate:,.0f} a second")
    table.add_row("meant for nobody", f"{summary.skipped:,}", "")
    table.add_row("calls delivered", f"{sum(summary.delivered.values()):,}", _listed(summary.delivered))
    table.add_row("requests", f"{summary.requests:,}", "")
    table.add_row("dead letters", f"{sum(summary.dead_letters.values()):,}", _listed(summary.dead_letters))
    for reason, count in summary.left_out.items():
        table.add_row("left out", f"{count:,}", WHY_LEFT_OUT[reason])
    return table


class Reading:
    """How far reading some ranges is."""

    def __init__(self, what: str, ranges: Ranges, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._what, self._monotonic = what, monotonic
        self._offsets = sum(each.end - each.start for each in ranges.values())
        self._started = monotonic()
        self.records = 0

    def add(self, records: Collection[Record]) -> None:
        """Take note of records that were read."""
        self.records += len(records)

    def line(self) -> str:
        """Return a line of text."""
        rate = self.records / max(self._monotonic() - self._started, 0.001)
        return f"{self._what}: {self.records:,} records of {self._offsets:,} offsets, {rate:,.0f} a second"


class RunView:
    """How a replay moves. `positions` are asked for at each look."""

    def __init__(
        self,
        ranges: Ranges,
        positions: Mapping[TopicPartition, int],
        tally: Tally,
        left_out: Mapping[LeftOut, int],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ranges, self._positions = ranges, positions
        self._tally, self._left_out = tally, left_out
        self._begun_with = self._left
        self._monotonic, self._started = monotonic, monotonic()

    @property
    def _left(self) -> int:
        positions = dict(self._positions)
        return sum(each.end - positions.get(name, each.start) for name, each in self._ranges.items())

    def line(self) -> str:
        """Return a line of text."""
        tally = self._tally
        done, seconds = self._begun_with - self._left, self._monotonic() - self._started
        rate = done / max(seconds, 0.001)
        eta = f"{self._left / rate:,.0f} s left" if rate > 0 else "no estimate yet"
        return (
            f"{done:,} of {self._begun_with:,} offsets, {rate:,.0f} a second, {eta};"
            f" delivered {tally.delivered.total():,}, skipped {tally.skipped.total():,},"
            f" left out {sum(self._left_out.values()):,}, dead letters {tally.dead_letters.total():,}"
        )

    def drawing(self) -> RenderableType:
        """Return a table with a row for each partition, and the line."""
        table = _table("partition", "stands at", "to before", "done")
        positions = dict(self._positions)
        for name, each in sorted(self._ranges.items()):
            at = positions.get(name, each.start)
            table.add_row(
                str(name), f"{at:,}", f"{each.end:,}", f"{(at - each.start) / (each.end - each.start):.0%}"
            )
        return Group(table, Text(self.line()))


def _times(each: ReplayRange) -> str:
    since = "" if each.since_ms is None else f"from {_date(each.since_ms / 1000)} "
    return since + ("" if each.before_ms is None else f"to before {_date(each.before_ms / 1000)}")


def _date(unix: float) -> str:
    return (
        datetime.fromtimestamp(unix, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00") + "Z"
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _pairs() -> Table:
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    return table


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
