"""Callbacks that cannot raise.

The client throws a whole batch of records away, past which its position has moved already, when a callback
raises inside `consume` (Consumer.c of confluent-kafka destroys the batch). So an exception is kept here and
comes out of the next poll, after the records have been handed out.
"""

from collections.abc import Callable
from typing import ParamSpec

_P = ParamSpec("_P")


class Callbacks:
    """Keeps the first exception of any callback."""

    def __init__(self) -> None:
        self._kept: BaseException | None = None

    def guard(self, callback: Callable[_P, object]) -> Callable[_P, None]:
        """Return the callback in a form that never raises."""

        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
            try:
                callback(*args, **kwargs)
            except BaseException as error:
                self.keep(error)

        return guarded

    def keep(self, error: BaseException) -> None:
        """Keep an exception for the next `raise_kept`; the first one counts."""
        if self._kept is None:
            self._kept = error

    def raise_kept(self) -> None:
        """Raise what was kept."""
        kept, self._kept = self._kept, None
        if kept is not None:
            raise kept
