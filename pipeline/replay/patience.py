"""Waiting for schemas while a replay only looks: the engine has its own way of waiting."""

import time
from collections.abc import Callable
from typing import Protocol

from pipeline.decode import SchemaPending
from pipeline.errors import PipelineError
from pipeline.records import Record
from pipeline.translation import Translation

ASK_EVERY_S = 0.05
GIVE_UP_S = 60.0


class Translator(Protocol):
    """Record in, operations out, or a schema to wait for."""

    def translate(self, record: Record) -> Translation | SchemaPending:
        """Return what becomes of a record; never raises."""
        ...


def translated(
    translator: Translator, record: Record, *, sleep: Callable[[float], None] = time.sleep
) -> Translation:
    """Return what becomes of a record, once its schema is there.

    Raises:
        PipelineError: the schema does not come.
    """
    trouble: str | None = None
    for _ in range(round(GIVE_UP_S / ASK_EVERY_S)):
        made = translator.translate(record)
        if not isinstance(made, SchemaPending):
            return made
        trouble = made.trouble
        sleep(ASK_EVERY_S)
    raise PipelineError(f"{record.position}: {trouble or 'the schema registry does not answer'}")
