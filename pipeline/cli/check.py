"""`cio-pipeline check`: try out everything that `run` needs, without sending or committing anything."""

import json
import os
from pathlib import Path

import click

from pipeline.errors import ExitStatus


@click.command()
@click.option(
    "--config",
    "-c",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("pipeline.yaml"),
    show_default=True,
    help="The configuration to try out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each finding.")
def check(path: Path, as_json: bool) -> int:
    """Try out everything that `run` needs, and say what to do about what is not right.

    The settings, the mapping and its tests, the dead-letter file, the admin address, the credentials and the region
    at Customer.io, and the brokers, topics and rights at Kafka. Nothing is sent, committed or written.
    """
    from pipeline.cli.check_steps import check_everything  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.config import load_settings  # noqa: PLC0415

    settings = load_settings(path, os.environ, warn=lambda problem: click.echo(str(problem), err=True))
    failed = 0
    _show("settings", True, str(path), as_json)
    for finding in check_everything(settings):
        failed += not finding.ok
        _show(finding.subject, finding.ok, finding.text, as_json)
    return ExitStatus.FAILED if failed else ExitStatus.DONE


def _show(subject: str, ok: bool, text: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"subject": subject, "ok": ok, "text": text}))
    else:
        word = click.style("ok    ", fg="green") if ok else click.style("failed", fg="red")
        click.echo(f"{word}  {subject:<13} {text}")
