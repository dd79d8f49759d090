"""What `cio-pipeline trace` reads: the range, the dead letters, and what a sandbox has seen."""

import json
import urllib.parse
from collections.abc import Callable
from contextlib import closing

from rich.console import Console

from pipeline.cli import assembly
from pipeline.cli.asking import ask_directly
from pipeline.cli.deadletters_store import open_stored
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.replay_display import moving
from pipeline.cli.replay_reading import plan_of, records_of
from pipeline.cli.replay_settings import replay_settings
from pipeline.config import Settings
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.masking import Mask
from pipeline.deadletters.unresolved import Unresolved, take_inventory
from pipeline.decode.patience import patient
from pipeline.errors import PipelineError
from pipeline.replay.trace import Answers, Traced, Tracer, person_key
from pipeline.replay.views import Reading

_ASK_TIMEOUT_S = 10.0


def read_traces(
    arguments: ReplayArguments, person: str | None, sandbox: str | None, stop: Callable[[], bool]
) -> list[Traced]:
    """Return what became of the records about a person, or of all in the range when `person` is None.

    Raises:
        PipelineError: the range cannot be read, or the sandbox does not answer.
    """
    settings = replay_settings(arguments)
    ranges = plan_of(arguments, settings).ranges
    tracer = Tracer(
        person,
        dead_letters=_dead_letters(settings),
        answers=Answers() if sandbox is None else _ask(sandbox, person),
        mask=Mask(reveal=arguments.show_data),
    )
    reading, found = Reading("reading", ranges), []
    with assembly.open_translator(settings) as translator, moving(Console(stderr=True), reading.line):
        translate = patient(translator.translate)
        for records in records_of(settings, ranges, stop):
            reading.add(records)
            for record in records:
                traced = tracer.trace(record, translate(record))
                if traced is not None:
                    found.append(traced)
    return found


def _dead_letters(settings: Settings) -> tuple[Unresolved, ...]:
    letters = settings.deadletters
    if letters.topic is None and not letters.file.exists():
        return ()
    with open_stored(settings, ()) as stored, closing(Archive(stored.paths)) as archive:
        return take_inventory(archive).unresolved


def _ask(sandbox: str, person: str | None) -> Answers:
    """Ask a sandbox what has arrived; about everybody when there is no telling who."""
    if person is None:
        url = f"{sandbox}/_sandbox/arrivals"
    else:
        kind, value = person_key(person)
        url = f"{sandbox}/_sandbox/history?{urllib.parse.urlencode({'kind': kind.value, 'value': value})}"
    try:
        answer = ask_directly(url, timeout_s=_ASK_TIMEOUT_S)
        lines = [json.loads(line) for line in answer.splitlines() if line]
    except (OSError, ValueError):
        raise PipelineError(
            f"no sandbox answers at {sandbox}; is `cio-pipeline sandbox` running there?"
        ) from None
    return Answers(lines if person is None else lines[0]["calls"])
