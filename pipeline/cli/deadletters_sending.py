"""A retry from the command line: what is planned, what is sent, what is left."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.deadletters.append import exclusive
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.ledger import FileLedger
from pipeline.deadletters.plan import Course, Translator, plan
from pipeline.deadletters.redrive import Progress, Redrive
from pipeline.deadletters.unresolved import Unresolved

if TYPE_CHECKING:
    from rich.console import Console


def preview(
    chosen: Sequence[Unresolved], archive: Archive, translator: Translator, *, allow_irreversible: bool
) -> tuple[Counter[Course], Counter[str]]:
    """Count what a retry would do: dead letters by course, and calls it would send by kind."""
    courses: Counter[Course] = Counter()
    calls: Counter[str] = Counter()
    for record in plan(chosen, archive, translator, allow_irreversible=allow_irreversible):
        courses.update(planned.course for planned in record.letters)
        calls.update(record.translation.calls[index].source.kind for index in record.calls)
    return courses, calls


def send(
    settings: Settings,
    chosen: Sequence[Unresolved],
    archive: Archive,
    *,
    translator: Translator,
    console: "Console",
    stop: Callable[[], bool],
    tell: Callable[[Progress], None],
    allow_irreversible: bool,
) -> None:
    """Send the chosen dead letters, one retry of a file at a time, and `tell` how far it came, however it ends.

    Raises:
        ConfigurationError: the connection is incomplete, or another retry is running.
        RemoteRefusedError: Customer.io refuses the connection.
        DeadLettersUnavailableError: what was delivered cannot be noted.
    """
    from pipeline.cli.assembly import open_redelivery  # noqa: PLC0415 - only a retry needs the client
    from pipeline.delivery.delivery import SUSPICIOUS_BATCH_ITEMS  # noqa: PLC0415
    from pipeline.delivery.flight import Flight  # noqa: PLC0415

    ledger = FileLedger(archive.paths)
    # A batch that is refused throughout would hold delivery; here it only means that nothing was mended yet.
    with (
        exclusive(archive.paths, "a retry"),
        open_redelivery(settings, max_items=SUSPICIOUS_BATCH_ITEMS - 1) as (lanes, sender),
        closing(ledger),
        _progress_bar(console, len(chosen)) as look,
    ):
        redrive = Redrive(
            Flight(lanes, sender),
            sender,
            ledger,
            SystemClock(),
            drain_deadline_s=settings.delivery.drain_deadline_seconds,
        )
        records = plan(chosen, archive, translator, allow_irreversible=allow_irreversible)
        try:
            redrive.run(records, stop, look)
        finally:
            tell(redrive.progress)


@contextmanager
def _progress_bar(console: "Console", total: int) -> Iterator[Callable[[Progress], None]]:
    """Show a bar at a terminal, nothing elsewhere; yield what moves it."""
    from rich import progress  # noqa: PLC0415 - keeps `--help` fast

    bar = progress.Progress(
        progress.TextColumn("dead letters"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[delivered]:,} delivered, {task.fields[left]:,} still there"),
        progress.TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=total, delivered=0, left=0)

    def look(now: Progress) -> None:
        bar.update(task, completed=now.done, delivered=now.delivered, left=now.left)

    with bar:
        yield look
