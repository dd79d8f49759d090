"""`cio-pipeline check`: try out everything that `run` needs, before it runs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.config_option import config_option
from pipeline.errors import ExitStatus

if TYPE_CHECKING:
    from pipeline.cli.checkup_findings import Finding

_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "left_out": ("-", "yellow")}
_NAME_WIDTH = 16


@click.command()
@config_option("The configuration to check.")
@click.option(
    "--sample",
    type=click.IntRange(0, 100_000),
    default=1_000,
    show_default=True,
    metavar="N",
    help="How many of the topics' last records to hold against the rules; 0 for none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(*, path: Path, sample: int, as_json: bool) -> int:
    """Try out settings, mapping, Kafka, the schema registry and Customer.io, and say what to do about what fails.

    Nothing is sent, committed or written. Exit status 0 means that nothing failed, 1 that something did.
    """
    from pipeline.cli.checkup import findings  # noqa: PLC0415 - keeps `--help` fast

    found = []
    for finding in findings(path, sample):
        found.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        click.echo(_document(found))
    failures = sum(finding.state == "failed" for finding in found)
    if not as_json:
        click.echo(f"{failures} of {len(found)} checks failed" if failures else "all is well")
    return ExitStatus.FAILED if failures else ExitStatus.DONE


def _show(finding: "Finding") -> None:
    mark, colour = _MARKS[finding.state]
    click.echo(f"{click.style(mark, fg=colour)} {finding.name:<{_NAME_WIDTH}} {finding.text}")
    if finding.advice is not None:
        click.echo(f"  {'':<{_NAME_WIDTH}} → {finding.advice}")


def _document(found: Sequence["Finding"]) -> str:
    checks = [
        {"name": each.name, "state": str(each.state), "text": each.text, "advice": each.advice}
        for each in found
    ]
    return json.dumps(
        {"ok": all(each.state != "failed" for each in found), "checks": checks}, ensure_ascii=False
    )
