"""`cio-pipeline replay --diff OLD NEW`: the same records, mapped with two rule sets."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console

from pipeline.cli import assembly
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.replay_display import moving
from pipeline.cli.replay_reading import plan_of, records_of
from pipeline.cli.replay_request import rules_of
from pipeline.cli.replay_settings import replay_settings, with_mapping
from pipeline.cli.writing import write_text
from pipeline.deadletters.masking import Mask
from pipeline.decode.patience import patient
from pipeline.errors import ExitStatus
from pipeline.records import Record
from pipeline.replay.choices import Choices, people_of, rule_ids
from pipeline.replay.diff import Difference
from pipeline.replay.diff_views import diff_page, diff_tables
from pipeline.replay.sieve import Sieve
from pipeline.replay.views import Reading, plan_table
from pipeline.translation import Translation, Translator


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
        of_old, of_new = _filtered(arguments, before, after)
        with moving(console, reading.line):
            for records in records_of(settings, plan.ranges, stop):
                for record in records:
                    difference.note(record, of_old(record), of_new(record))
                reading.add(records)
    _print(arguments, difference, old, new)
    if difference.total.any and arguments.fail_on_change:
        return ExitStatus.FAILED
    return ExitStatus.DONE


def _filtered(
    arguments: ReplayArguments, *translators: Translator
) -> Iterator[Callable[[Record], Translation]]:
    """Yield what each mapping makes of a record, about the people and by the rules that were asked for."""
    choices = Choices(
        rules=rule_ids(map(rules_of, translators), arguments.rules),
        people=people_of(arguments.people),
        allow_irreversible=True,
        include_erased=True,
    )
    for translator in translators:
        yield patient(Sieve(translator.translate, choices, time.time()).translate)


def _print(arguments: ReplayArguments, difference: Difference, old: Path, new: Path) -> None:
    if arguments.html is not None:
        write_text(arguments.html, diff_page(difference, str(old), str(new)))
    if arguments.as_json:
        click.echo(json.dumps(difference.as_json()))
    else:
        Console(file=sys.stdout).print(diff_tables(difference))
