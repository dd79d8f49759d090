"""What a person sees while the demo runs."""

from threading import Event, Thread
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.tally import Tally

REFRESH_S = 0.1


class Watched(Protocol):
    """The part of a pipeline that is shown."""

    @property
    def tally(self) -> Tally:
        """What has been counted so far."""
        ...


class LiveProgress:
    """A line that moves, from `with` until `stop` or the end of the block."""

    def __init__(self, console: Console, watched: Watched, total: int, *, visible: bool) -> None:
        self._tally = watched.tally
        self._progress = Progress(
            TextColumn("[bold]Kafka to Customer.io"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[calls]:,} calls delivered, {task.fields[dead]:,} dead letters"),
            TimeElapsedColumn(),
            console=console,
            disable=not (visible and console.is_terminal),
        )
        self._task = self._progress.add_task("", total=total, calls=0, dead=0)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="progress", daemon=True)

    def stop(self) -> None:
        """Show the last figures and let the terminal go."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._thread.join()
            self._update()
            self._progress.stop()

    def __enter__(self) -> Self:
        self._progress.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.wait(REFRESH_S):
            self._update()

    def _update(self) -> None:
        self._progress.update(
            self._task,
            completed=self._tally.settled.total(),
            calls=self._tally.delivered.total(),
            dead=self._tally.dead_letters.total(),
        )
