"""The status as a person reads it: one line of health, one of counts, one row for each partition."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


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
        "in flight": document["batches_in_flight"],
    }
    lines = [Text("  ".join(f"{name} {value:,}" for name, value in facts.items()))]
    letters = {reason: count for reason, count in counts["dead_letters"].items() if count}
    if letters:
        by_reason = ", ".join(f"{reason} {count:,}" for reason, count in sorted(letters.items()))
        lines.append(Text(f"dead letters: {by_reason}", style="yellow"))
    return lines


def _partitions(partitions: list[Mapping[str, Any]]) -> RenderableType:
    if not partitions:
        return Text("no partitions")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("topic", "partition", "committed", "end", "lag"):
        table.add_column(name, justify="left" if name == "topic" else "right", overflow="fold")
    for partition in partitions:
        table.add_row(
            partition["topic"],
            str(partition["partition"]),
            *(_number(partition[name]) for name in ("committed", "end", "lag")),
        )
    total = sum(partition["lag"] or 0 for partition in partitions)
    table.add_row("total", "", "", "", _number(total), style="bold")
    return table


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
