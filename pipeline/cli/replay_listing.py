"""`cio-pipeline replay list`."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pipeline.cli import assembly
from pipeline.cli.replay_settings import without_credentials
from pipeline.config import load_settings
from pipeline.kafka.replay_names import known_replays
from pipeline.kafka.replay_progress import KeptReplay
from pipeline.replay.resume import STALE_AFTER_S, has_ended

_LINE_WIDTH = 200


def show_replays(path: Path, *, as_json: bool) -> None:
    """Print the replays that Kafka knows of.

    Raises:
        PipelineError: the configuration is wrong, or the brokers do not answer.
    """
    settings = without_credentials(lambda environment: load_settings(path, environment))
    rows = [_row(name, kept) for name, kept in known_replays(assembly.kafka_options(settings)).items()]
    if as_json:
        click.echo(json.dumps({"replays": rows}))
    elif rows:
        # Lines for a program, or for a file, are not broken to the width of a terminal.
        Console(width=None if sys.stdout.isatty() else _LINE_WIDTH).print(_table(rows))
    else:
        click.echo("No replay is kept beside the group " + settings.kafka.group_id + ".")


def _row(name: str, kept: KeptReplay) -> dict[str, Any]:
    mark = kept.mark
    return {
        "name": name,
        "state": _state(kept),
        "owner": mark.owner or None,
        "heartbeat": datetime.fromtimestamp(mark.heartbeat_ms / 1000, UTC).isoformat(timespec="seconds"),
        "partitions": [
            {
                "topic": place.topic,
                "partition": place.partition,
                "start": each.start,
                "end": each.end,
                "position": kept.positions[place],
            }
            for place, each in sorted(kept.ranges.items())
        ],
    }


def _state(kept: KeptReplay) -> str:
    if kept.forgotten:
        return "partly forgotten by the brokers"
    if kept.finished:
        return "finished"
    owner, age_s = kept.mark.owner, time.time() - kept.mark.heartbeat_ms / 1000
    return "running" if owner and age_s < STALE_AFTER_S and not has_ended(owner) else "interrupted"


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("name", "state", "last sign of life", "partition", "from", "to before", "stands at"):
        table.add_column(heading)
    for row in rows:
        for number, each in enumerate(row["partitions"]):
            first = (row["name"], row["state"], row["heartbeat"]) if number == 0 else ("", "", "")
            place = f"{each['topic']}/{each['partition']}"
            table.add_row(*first, place, f"{each['start']:,}", f"{each['end']:,}", f"{each['position']:,}")
    return table
