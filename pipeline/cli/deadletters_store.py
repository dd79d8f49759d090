"""Where the dead letters are: files that were named, the configured file, or the configured topic."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from pipeline.config import Settings
from pipeline.deadletters.archive import Archive, Foreign
from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.deadletters.exclusive import exclusive
from pipeline.deadletters.json_lines import resolution_line, to_line
from pipeline.deadletters.ledger import FileSink, Ledger, Sink
from pipeline.deadletters.unresolved import Unresolved, take_inventory


@dataclass(frozen=True, slots=True)
class Stored:
    """Files to read, and where to note what becomes of what each of them holds. `foreign` was passed over already."""

    paths: tuple[Path, ...]
    ledger: Ledger
    foreign: tuple[Foreign, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Opened dead letters: where they stand, which were chosen of all, and the lines that were passed over."""

    stored: Stored
    archive: Archive
    everything: Sequence[Unresolved]
    chosen: Sequence[Unresolved]
    foreign: Sequence[Foreign]


@contextmanager
def open_found(
    settings: Settings | None,
    files: Sequence[Path],
    choose: Callable[[Unresolved], bool],
    *,
    alone: str | None = None,
) -> Iterator[Found]:
    """Open the named files, or else what the settings say, and choose among the dead letters there.

    `alone` names who keeps others of its name out while the block lasts: from before anything is read, since what
    another of them has just delivered would be sent again otherwise.

    Raises:
        ConfigurationError: a file or the topic cannot be read, or another that is `alone` is at work.
        PipelineError: the topic's brokers do not answer.
    """
    with (
        nullcontext() if alone is None else exclusive(_shared(settings, files), alone),
        open_stored(settings, files) as stored,
        closing(Archive(stored.paths)) as archive,
    ):
        inventory = take_inventory(archive)
        chosen = [letter for letter in inventory.unresolved if choose(letter)]
        foreign = (*stored.foreign, *inventory.foreign)
        yield Found(stored, archive, inventory.unresolved, chosen, foreign)


def _shared(settings: Settings | None, files: Sequence[Path]) -> Sequence[Path]:
    """Return the files that stand for the store when two must not work on it at once."""
    return files if files or settings is None else (settings.deadletters.file,)


@contextmanager
def open_stored(settings: Settings | None, files: Sequence[Path]) -> Iterator[Stored]:
    """Open the named files, or else what the settings say. A topic is copied into a file that ends with the block.

    Raises:
        ConfigurationError: the topic cannot be read.
        PipelineError: its brokers do not answer.
    """
    if files or settings is None:
        with _stored(tuple(files)) as stored:
            yield stored
    elif settings.deadletters.topic is None:
        with _stored((settings.deadletters.file,)) as stored:
            yield stored
    else:
        with _stored_in_topic(settings) as stored:
            yield stored


@contextmanager
def _stored(paths: tuple[Path, ...]) -> Iterator[Stored]:
    with closing(Ledger([FileSink(path) for path in paths])) as ledger:
        yield Stored(paths, ledger)


@contextmanager
def _stored_in_topic(settings: Settings) -> Iterator[Stored]:
    from pipeline.cli.assembly import dead_letter_topic  # noqa: PLC0415 - a file needs no Kafka
    from pipeline.kafka.dead_letter_sink import TopicSink  # noqa: PLC0415 - keeps `--help` fast

    overflow = settings.deadletters.file
    sinks: list[Sink] = [TopicSink(lambda: dead_letter_topic(settings))]
    with NamedTemporaryFile(prefix="cio-pipeline-dead-letters-") as copy:
        foreign = tuple(_copy(settings, copy))
        paths = [Path(copy.name)]
        if overflow.exists():
            paths.append(overflow)
            sinks.append(FileSink(overflow))
        with closing(Ledger(sinks)) as ledger:
            yield Stored(tuple(paths), ledger, foreign)


def _copy(settings: Settings, copy: IO[bytes]) -> Iterator[Foreign]:
    """Copy a topic's dead letters into a file; yield what is none."""
    from pipeline.cli.assembly import dead_letter_topic_options  # noqa: PLC0415 - a file needs no Kafka
    from pipeline.kafka.dead_letter_reader import Omitted, read_dead_letters  # noqa: PLC0415 - keeps `--help` fast

    for position, found in read_dead_letters(dead_letter_topic_options(settings)):
        match found:
            case DeadLetter():
                copy.write(to_line(found))
            case Resolution():
                copy.write(resolution_line(found))
            case Omitted() if settings.deadletters.file.exists():
                continue  # the overflow file has it whole
            case _:
                yield Foreign(str(position), found.text)
    copy.flush()
