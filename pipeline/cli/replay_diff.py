"""`cio-pipeline replay --diff OLD NEW`: the same records, mapped with two rule sets."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from pipeline.cli import assembly
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.replay_display import moving
from pipeline.cli.replay_request import partitions_of
from pipeline.cli.replay_settings import replay_settings, topic_of, with_mapping
from pipeline.config import Settings
from pipeline.deadletters.masking import Mask
from pipeline.errors import ConfigurationError, ExitStatus
from pipeline.kafka.replay_lookup import TopicLookup
from pipeline.kafka.replay_reader import read_ranges
from pipeline.replay.bounds import parse_bounds, parse_duration_s
from pipeline.replay.diff import Difference
from pipeline.replay.diff_views import diff_page, diff_tables
from pipeline.replay.patience import translated
from pipeline.replay.plan import Plan, make_plan
from pipeline.replay.views import Reading, plan_table


def run_diff(arguments: ReplayArguments, stop: Callable[[], bool]) -> int:
    """Map the range with both, and print what differs.

    Raises:
        PipelineError: a mapping is wrong, or Kafka does not answer.
    """
    assert arguments.diff is not None
    old, new = arguments.diff
    settings, console = replay_settings(arguments), Console(stderr=True)
    plan = plan_of(arguments, settings)
    console.print(plan_table(plan.ranges, {name: each.start for name, each in plan.ranges.items()}))
    difference = Difference(Mask(reveal=arguments.show_data))
    with (
        assembly.open_translator(with_mapping(settings, (old,))) as before,
        assembly.open_translator(with_mapping(settings, (new,))) as after,
    ):
        reading = Reading("mapping", plan.ranges)
        with moving(console, reading.line):
            for records in read_ranges(assembly.kafka_options(settings), plan.ranges, stop=stop):
                for record in records:
                    difference.note(record, translated(before, record), translated(after, record))
                reading.add(records)
    _print(arguments, difference, old, new)
    if difference.total.any and arguments.fail_on_change:
        return ExitStatus.FAILED
    return ExitStatus.DONE


def plan_of(arguments: ReplayArguments, settings: Settings) -> Plan:
    """Ask the brokers for the ranges that were asked for.

    Raises:
        PipelineError: there is nothing to read, or the brokers do not answer.
    """
    now = time.time()
    with TopicLookup(assembly.kafka_options(settings)) as lookup:
        return make_plan(
            lookup,
            topic_of(arguments, settings),
            parse_bounds("--from", arguments.begin, now),
            parse_bounds("--until", arguments.until, now),
            partitions_of(arguments.partitions),
            slack_ms=None if arguments.slack is None else int(parse_duration_s(arguments.slack) * 1000),
        )


def _print(arguments: ReplayArguments, difference: Difference, old: Path, new: Path) -> None:
    if arguments.html is not None:
        try:
            arguments.html.write_text(diff_page(difference, str(old), str(new)), "utf-8")
        except OSError as error:
            raise ConfigurationError(f"--html: cannot write {arguments.html}: {error.strerror}") from None
    if arguments.as_json:
        click.echo(json.dumps(difference.as_json()))
    else:
        Console(file=sys.stdout).print(diff_tables(difference))
