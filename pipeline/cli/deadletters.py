"""`cio-pipeline deadletters ...`: what could not be delivered, and what to do about it."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import click
import orjson

from pipeline.cli.deadletters_options import (
    find,
    secrets_of,
    selection_of,
    settings_of,
    with_conditions,
    with_files,
)
from pipeline.cli.deadletters_store import Found
from pipeline.cli.signals import StopRequest
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.entry import Resolution, Settlement
from pipeline.deadletters.json_lines import record_line
from pipeline.deadletters.masking import Mask
from pipeline.deadletters.redrive import Progress
from pipeline.deadletters.selection import Selection, by_kind
from pipeline.deadletters.unresolved import Unresolved
from pipeline.decode.patience import patient
from pipeline.errors import ConfigurationError, ExitStatus

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def deadletters() -> None:
    """See what could not be delivered, mend it, and send it again.

    A dead letter is one call, or one record, that failed. Entries about the same thing are one dead letter, and one
    that was delivered by a retry or dismissed is not shown any more.
    """


@deadletters.command("list")
@with_files
@with_conditions
@click.option("--each", is_flag=True, help="One line for each dead letter instead of groups.")
@_as_json
def list_letters(*, config: Path, files: tuple[Path, ...], each: bool, as_json: bool, **options: Any) -> int:
    """Show the dead letters, grouped by reason, rule and field, without any data of theirs."""
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast

    from pipeline.cli import deadletters_view as view  # noqa: PLC0415 - keeps `--help` fast

    with find(config, files, selection_of(options)) as found:
        kinds, mask = by_kind(found.chosen), Mask()
        if as_json:
            click.echo(orjson.dumps(_list_document(found, kinds, mask if each else None)))
        elif not found.chosen:
            click.echo("no dead letters")
        else:
            rows = view.letter_rows(found.chosen, mask) if each else view.kind_rows(kinds)
            view.table(rows, view.LETTER_COLUMNS if each else view.KIND_COLUMNS, Console())
            click.echo(_letters(len(found.chosen)))
    return ExitStatus.DONE


def _list_document(found: Found, kinds: Sequence[Any], mask: Mask | None) -> dict[str, Any]:
    from pipeline.cli.deadletters_view import letter_document  # noqa: PLC0415 - keeps `--help` fast

    document: dict[str, Any] = {
        "dead_letters": len(found.chosen),
        "groups": kinds,
        "passed_over": [str(foreign) for foreign in found.foreign],
    }
    if mask is not None:
        document["each"] = [letter_document(letter, mask) for letter in found.chosen]
    return document


@deadletters.command()
@click.argument("position", metavar="TOPIC/PARTITION@OFFSET")
@with_files
@click.option(
    "--call", help="Only the dead letters of this call, such as order/track; `list --each` shows them."
)
@click.option("--reveal", is_flag=True, help="Show personal data. Secrets stay hidden.")
@_as_json
def show(
    *, position: str, config: Path, files: tuple[Path, ...], call: str | None, reveal: bool, as_json: bool
) -> int:
    """Show the dead letters of one record: the original, what failed, and what the current mapping makes of it.

    Texts and numbers are hidden unless asked for; the shape of the data stays.
    """
    from pipeline.cli.assembly import open_translator  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.cli.deadletters_view import record_document, record_lines  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.deadletters.plan import translated  # noqa: PLC0415 - keeps `--help` fast

    settings = settings_of(config)
    mask = Mask(reveal=reveal, secrets=secrets_of(settings))
    with (
        open_translator(settings) as current,
        find(config, files, Selection(positions=frozenset({position}))) as found,
    ):
        letters = [letter for letter in found.chosen if call is None or _is_call(letter, call)]
        if not letters:
            raise ConfigurationError(
                f"there is no unresolved dead letter of {call or 'a call'} at {position};"
                " `cio-pipeline deadletters list --each` shows those there are"
            )
        documents = [
            record_document(record, translation, group, found.archive, mask)
            for record, translation, group in translated(letters, found.archive, patient(current.translate))
        ]
    if as_json:
        click.echo(orjson.dumps({"records": documents}))
    else:
        for document in documents:
            click.echo("\n".join(record_lines(document)))
    return ExitStatus.DONE


def _is_call(letter: Unresolved, call: str) -> bool:
    """Tell whether a call is called so, with or without its event's name and its element."""
    if letter.source is None:
        return False
    nameless = letter.source._replace(name=None)
    sources = (letter.source, nameless)
    return call in {str(source) for source in sources} | {
        str(source._replace(element=None)) for source in sources
    }


@deadletters.command()
@with_files
@with_conditions
@click.option(
    "--limit", type=click.IntRange(min=1), help="At most so many, the first ones of each partition."
)
@click.option("--dry-run", is_flag=True, help="Tell what would be sent, and send nothing.")
@click.option(
    "--allow-irreversible",
    is_flag=True,
    help="Send calls that cannot be undone too: destroy, suppress, unsuppress, merge, delete_device, relate, raw.",
)
@click.option(
    "--include-erased",
    is_flag=True,
    help="Send also what is about people who were deleted or suppressed later, as dead letters and receipts tell.",
)
@_as_json
def retry(
    *,
    config: Path,
    files: tuple[Path, ...],
    limit: int | None,
    dry_run: bool,
    allow_irreversible: bool,
    include_erased: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Send dead letters again: the calls that failed and no others, as the current mapping makes them.

    An event has the id that it had, so that Customer.io counts it once. What is confirmed is noted beside the entry,
    and what fails again gets a new one. Ctrl-C waits for what is on its way; a repeated retry goes on from there.

    Exit status 0: none of the chosen ones is left. 1: some are.
    """
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast

    from pipeline.cli import deadletters_sending as sending  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.cli.assembly import open_translator  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.operations.logs import configure_logs  # noqa: PLC0415 - keeps `--help` fast

    settings = settings_of(config)
    configure_logs(settings.logs.format, settings.logs.level)
    stop = StopRequest()
    alone = None if dry_run else sending.RETRY
    with (
        open_translator(settings) as current,
        find(config, files, selection_of(options), alone=alone) as found,
    ):
        chosen = found.chosen[:limit]
        retrying = sending.Retry(
            settings,
            replace(found, chosen=chosen),
            patient(current.translate),
            allow_irreversible=allow_irreversible,
            include_erased=include_erased,
        )
        if dry_run:
            _show_preview(*retrying.preview(), as_json=as_json)
            return ExitStatus.DONE
        stop.listen()
        try:
            with sending.progress_bar(Console(stderr=True), len(chosen)) as look:
                retrying.send(stop, look)
        finally:
            _show_result(retrying.progress, len(chosen), as_json=as_json)
        is_done = retrying.progress.delivered == len(chosen)
    return stop.status or (ExitStatus.DONE if is_done else ExitStatus.FAILED)


def _show_preview(courses: Any, calls: Any, *, as_json: bool) -> None:
    if as_json:
        click.echo(
            orjson.dumps(
                {"dry_run": True, "dead_letters": courses, "calls": calls}, option=orjson.OPT_NON_STR_KEYS
            )
        )
        return
    total, sent = courses.total(), courses["send"]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(calls.items())) or "none"
    click.echo(f"{_letters(total)}; a retry would send {sent:,} of them; calls: {kinds}")
    _show_left({course.value: count for course, count in courses.items()})


def _show_result(progress: Progress, total: int, *, as_json: bool) -> None:
    left = {
        "failed": progress.failed,
        "not_made": progress.not_made,
        "irreversible": progress.irreversible,
        "erased": progress.erased,
        "not_reached": total - progress.done,
    }
    if as_json:
        counts = {"dead_letters": total, "delivered": progress.delivered, **left, "calls": progress.calls}
        click.echo(orjson.dumps(counts))
        return
    click.echo(f"{_letters(total)}; {progress.delivered:,} delivered; {progress.calls:,} calls confirmed")
    _show_left(left)


_LEFT = {
    "fails_again": ("failing again", "see `deadletters list`, and mend the mapping or the data"),
    "failed": ("failing again", "see `deadletters list`, and mend the mapping or the data"),
    "not_made": ("not made by the current mapping", "a renamed rule keeps its calls with `id: OLD NAME`"),
    "irreversible": ("irreversible", "sent only with --allow-irreversible"),
    "erased": (
        "about people who were deleted or suppressed later",
        "they would be there again; sent only with --include-erased",
    ),
    "not_reached": ("not reached", "repeat the retry"),
}


def _show_left(left: Mapping[str, int]) -> None:
    """Say what stays and what to do about it."""
    for name, (what, advice) in _LEFT.items():
        if left.get(name):
            click.echo(f"  {what}: {left[name]:,} ({advice})")


def _letters(count: int) -> str:
    return f"{count:,} dead letter{'' if count == 1 else 's'}"


@deadletters.command()
@with_files
@with_conditions
@click.option("--yes", is_flag=True, help="Do not ask.")
def dismiss(*, config: Path, files: tuple[Path, ...], yes: bool, **options: Any) -> int:
    """Take dead letters off the list without sending them. The entries stay in the file, with a note."""
    with find(config, files, selection_of(options)) as found:
        count = len(found.chosen)
        if not count:
            click.echo("no dead letters")
            return ExitStatus.DONE
        if not yes:
            click.confirm(f"Dismiss {_letters(count)}?", abort=True)
        for letter in found.chosen:
            now_ms = int(time.time() * 1000)
            resolution = Resolution(letter.key, letter.last_seen_ms, now_ms, Settlement.DISMISSED)
            found.stored.ledger.resolve(letter, resolution)
        found.stored.ledger.flush()
    click.echo(f"{_letters(count)} dismissed")
    return ExitStatus.DONE


@deadletters.command()
@with_files
@with_conditions
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file, readable by its owner only.  [default: standard output]",
)
def export(*, config: Path, files: tuple[Path, ...], output: Path | None, **options: Any) -> int:
    """Write the original records of dead letters as JSON Lines: position, time, key, value and headers, whole."""
    with find(config, files, selection_of(options)) as found, _output(output) as file:
        count = 0
        for line in _original_lines(found.chosen, found.archive):
            file.write(line)
            count += 1
        file.flush()
    click.echo(f"{count:,} records written to {output or 'standard output'}", err=True)
    return ExitStatus.DONE


def _original_lines(letters: Sequence[Unresolved], archive: Archive) -> Iterator[bytes]:
    """Yield each original once, however many dead letters it has."""
    for _, group in groupby(letters, key=lambda letter: (letter.position, letter.key.digest)):
        letter = next(group)
        yield record_line(archive.load(letter.place, letter.key).record)


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"{path} exists already; name a new file") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        yield file
