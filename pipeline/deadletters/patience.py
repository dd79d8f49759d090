"""A translator for those who have time: it waits for a schema instead of saying that it is being looked up."""

import time
from collections.abc import Callable
from typing import Protocol

from pipeline.decode import SchemaPending
from pipeline.errors import PipelineError
from pipeline.records import Record
from pipeline.translation import Translation

DEADLINE_S = 30.0
PAUSE_S = 0.05


class Asked(Protocol):
    """A translator that may need to be asked again."""

    def translate(self, record: Record) -> Translation | SchemaPending:
        """Return what becomes of a record, or that its schema is being looked up."""
        ...


class PatientTranslator:
    """Asks until there is an answer."""

    def __init__(
        self,
        translator: Asked,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._translator = translator
        self._monotonic = monotonic
        self._sleep = sleep

    def translate(self, record: Record) -> Translation:
        """Return what becomes of a record.

        Raises:
            PipelineError: its schema cannot be had.
        """
        deadline = self._monotonic() + DEADLINE_S
        while True:
            found = self._translator.translate(record)
            if not isinstance(found, SchemaPending):
                return found
            if self._monotonic() >= deadline:
                why = found.trouble or f"the registry did not answer within {DEADLINE_S:.0f} s"
                raise PipelineError(f"{record.position}: schema {found.schema_id} cannot be had: {why}")
            self._sleep(PAUSE_S)
