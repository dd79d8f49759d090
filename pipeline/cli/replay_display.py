"""What moves while a replay is at work: a live table in a terminal, a line now and then elsewhere; on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console, RenderableType
from rich.live import Live

LINE_EVERY_S = 10.0
"""How often a line is written where there is no terminal to draw on."""
DRAW_EVERY_S = 0.25


@contextmanager
def moving(
    console: Console,
    line: Callable[[], str],
    drawing: Callable[[], RenderableType] | None = None,
    *,
    line_every_s: float = LINE_EVERY_S,
) -> Iterator[None]:
    """Show, for as long as the block lasts, what these return."""
    stopping = Event()
    live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
    draw = drawing or line

    def show() -> None:
        while not stopping.wait(line_every_s if live is None else DRAW_EVERY_S):
            if live is None:
                console.print(line(), highlight=False, soft_wrap=True)
            else:
                live.update(draw(), refresh=True)

    thread = Thread(target=show, name="replay-display", daemon=True)
    if live is not None:
        live.start()
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        if live is not None:
            live.stop()
