"""Stopping on request."""

import signal
from types import FrameType

from pipeline.errors import ExitStatus

_STATUS = {signal.SIGINT: ExitStatus.INTERRUPTED, signal.SIGTERM: ExitStatus.TERMINATED}


class StopRequest:
    """Becomes true with the first SIGINT or SIGTERM. The second one ends the process at once, by the system's hand."""

    def __init__(self) -> None:
        self.status = ExitStatus.DONE
        self._requested = False

    def listen(self) -> None:
        """Take the two signals over; only the main thread may do that."""
        for number in _STATUS:
            signal.signal(number, self._take)

    def __call__(self) -> bool:
        """Tell whether to stop."""
        return self._requested

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._requested = True
        self.status = _STATUS[signal.Signals(number)]
        for each in _STATUS:
            signal.signal(each, signal.SIG_DFL)
