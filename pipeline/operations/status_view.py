"""The status as a person reads it: health, counts, delays, and one row for each partition.

`late` is the age of the next record that is not settled, `left` the time until its topic may delete it.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

MOST_TYPES = 5
"""Types of unmatched events that are shown."""

_DELAYS = {"request": "a request", "written": "confirmed since written", "read": "since read"}
_FILLS = {"items": "batch_items_fill", "bytes": "request_bytes_fill"}


def status_view(document: Mapping[str, Any]) -> RenderableType:
    """Return what `/api/status` says, or a group's progress, for a terminal."""
    return Group(*_health(document), *_counts(document), _partitions(document["partitions"]))


def _health(document: Mapping[str, Any]) -> list[Text]:
    if not document["running"]:
        return [
            Text(
                f"no pipeline runs at {document['admin'] or 'admin.listen: off'}; from Kafka:", style="yellow"
            )
        ]
    if document["ready"]:
        return [Text(f"ready (cio-pipeline {document['version']})", style="green")]
    return [Text("not ready", style="red"), *(Text(f"  {reason}") for reason in document["reasons"])]


def _counts(document: Mapping[str, Any]) -> list[Text]:
    counts = document.get("counts")
    if counts is None:
        return []
    facts = {
        "read": counts["records"],
        "settled": counts["settled"],
        "skipped": sum(counts["skipped"].values()),
        "delivered calls": sum(counts["delivered"].values()),
        "dead letters": sum(counts["dead_letters"].values()),
        "open": document["open_records"],
    }
    lines = [Text("  ".join(f"{name} {value:,}" for name, value in facts.items()))]
    lines += _delivery(document)
    unmatched = counts.get("unmatched") or {}
    if unmatched:
        most = sorted(unmatched.items(), key=lambda each: (-each[1], each[0]))[:MOST_TYPES]
        lines.append(Text("unmatched: " + ", ".join(f"{name} {count:,}" for name, count in most)))
    letters = {reason: count for reason, count in counts["dead_letters"].items() if count}
    if letters:
        by_reason = ", ".join(f"{reason} {count:,}" for reason, count in sorted(letters.items()))
        lines.append(Text(f"dead letters: {by_reason}", style="yellow"))
    return lines


def _delivery(document: Mapping[str, Any]) -> list[Text]:
    """How delivery is doing: limits, what had to be done again, and the delays of the last minute."""
    counts = document["counts"]
    facts = {
        "requests a second": f"{document['requests_per_second_limit']:,.0f}",
        "in flight": f"{document['batches_in_flight']} of {document['requests_in_flight_limit']}",
        "blocked lanes": f"{document['blocked_lanes']:,}",
        "retries": f"{sum(counts['retries'].values()):,}",
        "rebalances": f"{sum(counts['rebalances'].values()):,}",
    }
    lines = [Text("  ".join(f"{name} {value}" for name, value in facts.items()))]
    delays = {name: each for name, each in document.get("latency", {}).items() if each["median"] is not None}
    if delays:
        told = (
            f"{_DELAYS[name]} {duration(each['median'])} / {duration(each['p99'])}"
            for name, each in delays.items()
        )
        lines.append(Text("median / 99 %: " + ", ".join(told)))
    fills = document["histograms"]
    means = {
        name: fills[key]["total"] / fills[key]["count"] for name, key in _FILLS.items() if fills[key]["count"]
    }
    if means:
        lines.append(Text("requests are filled: " + ", ".join(f"{n} {v:.0%}" for n, v in means.items())))
    return lines


def duration(seconds: float | None) -> str:
    """Return seconds in the unit that reads best, `-` while unknown."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.2g} s"
    for limit, unit, size in ((120, "s", 1), (7_200, "min", 60), (172_800, "h", 3_600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def _partitions(partitions: list[Mapping[str, Any]]) -> RenderableType:
    if not partitions:
        return Text("no partitions")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("topic", "partition", "committed", "end", "lag", "late", "left"):
        table.add_column(name, justify="left" if name == "topic" else "right", overflow="fold")
    for partition in partitions:
        table.add_row(
            partition["topic"],
            str(partition["partition"]),
            *(_number(partition[name]) for name in ("committed", "end", "lag")),
            *(duration(partition.get(name)) for name in ("lag_seconds", "retention_left_seconds")),
        )
    total = sum(partition["lag"] or 0 for partition in partitions)
    table.add_row("total", "", "", "", _number(total), *_extremes(partitions), style="bold")
    return table


def _extremes(partitions: list[Mapping[str, Any]]) -> tuple[str, str]:
    """Return how late the latest partition is, and the least time that is left."""
    late = [each.get("lag_seconds") for each in partitions]
    left = [each.get("retention_left_seconds") for each in partitions]
    return (
        duration(max((each for each in late if each is not None), default=None)),
        duration(min((each for each in left if each is not None), default=None)),
    )


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
