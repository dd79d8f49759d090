"""The end of a demo: every record accounted for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from pipeline.calls import COUNTED_KINDS
from pipeline.kafka.progress import PartitionProgress
from pipeline.tally import Tally


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of every record that was written.

    `unaccounted` is the number of records that were written and not settled, of offsets that were not committed, and
    of confirmed events that the sandbox has not counted: it must be zero.
    """

    written: int
    read: int
    skipped: int
    calls: Mapping[str, int]
    delivered: int
    dead_letters: Mapping[str, int]
    people: int
    unaccounted: int
    seconds: float
    interrupted: bool
    partitions: Sequence[PartitionProgress]

    @classmethod
    def of(
        cls,
        tally: Tally,
        *,
        written: int,
        seconds: float,
        interrupted: bool,
        partitions: Sequence[PartitionProgress],
        sandbox: Mapping[str, Any],
    ) -> "Summary":
        """Take stock. `sandbox` is what the sandbox answers when it is asked for its counts."""
        unsettled = max(0, written - tally.settled.total())
        uncommitted = sum(partition.lag for partition in partitions)
        confirmed = sum(tally.delivered[kind] for kind in COUNTED_KINDS)
        uncounted = max(0, confirmed - sandbox["events_counted"])
        return cls(
            written=written,
            read=tally.records.total(),
            skipped=tally.skipped.total(),
            calls={kind.value: count for kind, count in sorted(tally.calls.items())},
            delivered=tally.delivered.total(),
            dead_letters={reason.value: count for reason, count in sorted(tally.dead_letters.items())},
            people=sandbox["people"],
            unaccounted=max(unsettled, uncommitted) + uncounted,
            seconds=round(seconds, 3),
            interrupted=interrupted,
            partitions=partitions,
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def as_text(self) -> RenderableType:
        """Return tables for a terminal."""
        return Group(self._records(), "", self._offsets(), self._verdict())

    def _records(self) -> Table:
        table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_column(style="dim")
        table.add_row(
            "records read", f"{self.read:,}", f"{self.read / max(self.seconds, 0.001):,.0f} a second"
        )
        table.add_row("skipped", f"{self.skipped:,}", "no rule wanted them, or a rule dropped them")
        table.add_row("calls delivered", f"{self.delivered:,}", _listed(self.calls))
        table.add_row("dead letters", f"{sum(self.dead_letters.values()):,}", _listed(self.dead_letters))
        table.add_row("people in the sandbox", f"{self.people:,}", "")
        return table

    def _offsets(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column("partition")
        for name in ("committed", "end", "lag"):
            table.add_column(name, justify="right")
        for each in self.partitions:
            table.add_row(
                f"{each.topic}/{each.partition}", f"{each.committed or 0:,}", f"{each.end:,}", f"{each.lag:,}"
            )
        return table

    def _verdict(self) -> str:
        if self.interrupted:
            return f"\n[bold]Interrupted.[/] {self.unaccounted:,} of {self.written:,} records wait in Kafka."
        if self.unaccounted:
            return f"\n[bold red]{self.unaccounted:,} records are unaccounted for.[/]"
        return f"\n[bold green]All {self.written:,} records are accounted for[/], in {self.seconds:,.1f} seconds."


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
