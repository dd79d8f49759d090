"""A retry from the command line: what is planned, what is sent, what is left."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.calls import ERASING_KINDS
from pipeline.cli.deadletters_store import Found
from pipeline.cli.receipting import receipted_erasures
from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.deadletters.plan import Course, PlannedRecord, Translate, plan, translated
from pipeline.deadletters.redrive import Progress, Redrive
from pipeline.deadletters.unresolved import Unresolved
from pipeline.erasures import Erasures
from pipeline.records import Record
from pipeline.translation import Prepared

if TYPE_CHECKING:
    from rich.console import Console

RETRY = "a retry"
"""Who sends the dead letters of a file or topic, one at a time."""
RETRY_SHARE = 0.2
"""The part of `delivery.rate.requests_per_second` that a retry uses; the live pipeline's own share leaves it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Dead letters that were found, and all that is needed to send the chosen ones. `progress` changes meanwhile.

    Those that were not chosen count too: the ones of deletions tell who must not be brought back.
    """

    settings: Settings
    found: Found
    translate: Translate
    allow_irreversible: bool
    include_erased: bool
    progress: Progress = field(default_factory=Progress)

    def preview(self) -> tuple[Counter[Course], Counter[str]]:
        """Count what would be done: dead letters by course, and calls that would be sent by kind."""
        courses: Counter[Course] = Counter()
        calls: Counter[str] = Counter()
        for record in self._plan():
            courses.update(planned.course for planned in record.letters)
            calls.update(record.translation.calls[index].source.kind for index in record.calls)
        return courses, calls

    def send(self, stop: Callable[[], bool], look: Callable[[Progress], None]) -> None:
        """Send them; `look` is shown the progress now and then. What was found was opened for a `RETRY` alone.

        Raises:
            ConfigurationError: the connection is incomplete.
            RemoteRefusedError: Customer.io refuses the connection.
            DeadLettersUnavailableError: what was delivered cannot be noted.
        """
        from pipeline.cli.assembly import open_redelivery  # noqa: PLC0415 - only this needs the client
        from pipeline.delivery.delivery import SUSPICIOUS_BATCH_ITEMS  # noqa: PLC0415 - keeps `--help` fast
        from pipeline.delivery.flight import Flight  # noqa: PLC0415 - keeps `--help` fast

        # A batch that is refused throughout would hold delivery; here it only means that nothing was mended yet.
        max_items = SUSPICIOUS_BATCH_ITEMS - 1
        with open_redelivery(_with_share(self.settings), max_items=max_items) as (lanes, sender):
            redrive = Redrive(
                Flight(lanes, sender),
                sender,
                self.found.stored.ledger,
                SystemClock(),
                self.progress,
                drain_deadline_s=self.settings.delivery.drain_deadline_seconds,
            )
            redrive.run(self._plan(), stop, look)

    def _plan(self) -> Iterator[PlannedRecord]:
        is_erased = _never if self.include_erased else self._later_erasures().erased_after
        return plan(
            self.found.chosen,
            self.found.archive,
            self.translate,
            allow_irreversible=self.allow_irreversible,
            is_erased=is_erased,
        )

    def _later_erasures(self) -> Erasures:
        erasures = receipted_erasures(self.settings)
        letters = [letter for letter in self.found.everything if _may_erase(letter)]
        for record, translation, _ in translated(letters, self.found.archive, self.translate):
            erasures.note(record, translation)
        return erasures


def _may_erase(letter: Unresolved) -> bool:
    """Tell whether a dead letter may be about a deletion or suppression that has not been delivered."""
    return letter.source is None or letter.source.kind in ERASING_KINDS


def _never(_record: Record, _call: Prepared) -> bool:
    return False


def _with_share(settings: Settings) -> Settings:
    rate = settings.delivery.rate.model_copy(update={"share": RETRY_SHARE})
    delivery = settings.delivery.model_copy(update={"rate": rate})
    return settings.model_copy(update={"delivery": delivery})


@contextmanager
def progress_bar(console: "Console", total: int) -> Iterator[Callable[[Progress], None]]:
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
