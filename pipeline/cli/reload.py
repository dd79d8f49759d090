"""Changed mapping files take effect while the pipeline runs, or are refused loudly and change nothing."""

import signal
from collections.abc import Callable
from types import FrameType

import structlog

from pipeline.cli.assembly import Pipeline, mapping_limits
from pipeline.config import Settings
from pipeline.documents import DocumentError
from pipeline.mapping.reload import WatchedRules, load_tested_rules

_log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""How often watched files are looked at."""


class Reloader:
    """Loads the mapping files again on SIGHUP, and with `watch` whenever they change.

    New rules replace the running ones only when they compile completely and pass their tests.
    """

    def __init__(
        self, pipeline: Pipeline, settings: Settings, *, watch: bool, monotonic: Callable[[], float]
    ) -> None:
        self._pipeline = pipeline
        self._files = settings.mapping.files
        self._limits = mapping_limits(settings)
        self._watched = WatchedRules(self._files) if watch else None
        self._monotonic = monotonic
        self._look_at = monotonic() + LOOK_S
        self._requested = False

    def listen(self) -> None:
        """Take SIGHUP over; only the main thread may do that."""
        signal.signal(signal.SIGHUP, self._take)

    def check(self) -> None:
        """Reload if there is reason to; called between two steps of the engine."""
        if self._requested or self._have_changed():
            self._requested = False
            self._reload()

    def _have_changed(self) -> bool:
        if self._watched is None or self._monotonic() < self._look_at:
            return False
        self._look_at = self._monotonic() + LOOK_S
        return self._watched.changed()

    def _reload(self) -> None:
        try:
            rules = load_tested_rules(self._files, limits=self._limits)
        except DocumentError as error:
            self._refuse(str(error).splitlines())
            return
        objection = self._pipeline.people.objection(rules)
        if objection is not None:
            self._refuse([objection])
            return
        self._pipeline.use_rules(rules)
        self._pipeline.tally.reloads["loaded"] += 1
        _log.info("mapping_loaded", rules=len(rules.rules))

    def _refuse(self, problems: list[str]) -> None:
        self._pipeline.tally.reloads["refused"] += 1
        self._pipeline.mapping.refused(tuple(problems))
        _log.error("mapping_refused", problems=problems, then="the old rules stay in force")

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._requested = True
