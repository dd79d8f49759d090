"""`cio-pipeline receipts`: proof of deletions, for the data-protection officer."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.config_option import config_option
from pipeline.cli.moments import moment
from pipeline.errors import ConfigurationError, ExitStatus

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.receipts.receipt import Receipt

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


@click.command()
@config_option("The configuration of the pipeline; not read when --file is given and names are plain.")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read this file instead of what the configuration says.",
)
@click.option(
    "--person", metavar="PERSON", help="Only about this person: an id, or email:a@b.c and the like."
)
@click.option(
    "--since", metavar="TIME", callback=moment, help="Accepted then or later: a time, or how long ago (24h)."
)
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print them as CSV, for a spreadsheet.")
def receipts(
    *, path: Path, file: Path | None, person: str | None, since: int | None, as_json: bool, as_csv: bool
) -> int:
    """Show which destroys and suppressions Customer.io has accepted, when, and which record asked for them.

    A deletion that was made again after a crash has a receipt for each time. The exit status is 1 when there is no
    receipt that was asked for.
    """
    if as_json and as_csv:
        raise click.UsageError("choose --json or --csv")
    settings = _settings(path) if file is None else None
    source = _file(settings) if settings is not None else file
    assert source is not None
    is_about = _is_about(person, lambda: settings or _settings(path))
    found = [
        each for each in _read(source) if (since is None or each.accepted_ms >= since) and is_about(each)
    ]
    if as_json:
        click.echo(json.dumps({"receipts": [each.as_json() for each in found]}))
    elif as_csv:
        _print_csv(found)
    else:
        _print(found)
    return ExitStatus.DONE if found else ExitStatus.FAILED


def _settings(path: Path) -> "Settings":
    from pipeline.config import load_settings  # noqa: PLC0415 - keeps `--help` fast

    return load_settings(path, os.environ)


def _file(settings: "Settings") -> Path:
    if settings.receipts.file is None:
        raise ConfigurationError(
            "'receipts.file' is not set, so no receipts are kept; set it, or give --file"
        )
    return settings.receipts.file


def _is_about(person: str | None, settings: "Callable[[], Settings]") -> "Callable[[Receipt], bool]":
    """Return what tells whether a receipt is about a person; the key of hashed names is read when it is needed."""
    if person is None:
        return lambda _receipt: True
    from pipeline.calls import Identity  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.cli.receipting import namer  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.replay.trace import person_key  # noqa: PLC0415 - keeps `--help` fast

    identity = person_key(person)
    hashed: list[str] = []

    def is_about(receipt: "Receipt") -> bool:
        if receipt.person_kind is not identity.kind:
            return False
        if not receipt.hashed:
            return Identity(receipt.person_kind, receipt.person).lane_key == identity.lane_key
        if not hashed:
            if not settings().receipts.has_hash_key:
                raise ConfigurationError("names are hashed: set receipts.hash_key to find a person")
            hashed.append(namer(settings())(identity))
        return receipt.person == hashed[0]

    return is_about


def _read(path: Path) -> "Iterator[Receipt]":
    from pipeline.receipts.log import read_receipts  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.receipts.receipt import NotAReceiptError  # noqa: PLC0415 - keeps `--help` fast

    for number, found in read_receipts(path):
        if isinstance(found, NotAReceiptError):
            click.echo(f"{path}:{number}: warning: {found}; it is passed over", err=True)
        else:
            yield found


def _print(found: "list[Receipt]") -> None:
    for each in found:
        whom = f"{each.person_kind}:{each.person}"
        click.echo(
            f"{each.accepted_at}  {each.kind:8}  {whom}  {each.position}"
            f"  accepted with {each.status} by {each.sent_to}"
        )
    click.echo(f"{len(found):,} receipts", err=True)


def _print_csv(found: "list[Receipt]") -> None:
    rows = [each.as_json() for each in found]
    if not rows:
        return
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({name: _as_cell(value) for name, value in row.items()} for row in rows)


def _as_cell(value: object) -> object:
    """Names come from events: one that looks like a formula must not become one."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
