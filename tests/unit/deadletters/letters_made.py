"""Dead letters for tests, as a pipeline writes them."""

from collections.abc import Iterable
from pathlib import Path

import orjson

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.deadletters.json_lines import resolution_line, to_line
from pipeline.deadletters.unresolved import Inventory, take_inventory
from pipeline.records import Record

SEEN_MS = 1_773_480_414_000
ORDER = CallSource("order", CallKind.TRACK, "ordered")


def record(offset: int = 41, *, partition: int = 3, value: object = None, topic: str = "events") -> Record:
    """Return a record whose value is this in JSON."""
    return Record(topic, partition, offset, b"key", orjson.dumps(value), (), 1_773_480_413_000 + offset)


def letter(
    original: Record | None = None,
    source: CallSource | None = ORDER,
    *,
    reason: Reason = Reason.MAPPING_ERROR,
    text: str = "failed",
    at_ms: int = 0,
    field: str | None = None,
    attempts: int = 0,
    replay: str | None = None,
) -> DeadLetter:
    """Return an entry that was first seen so many milliseconds after the others."""
    return DeadLetter(
        original or record(), reason, text, SEEN_MS + at_ms, source, field, attempts=attempts, replay=replay
    )


def write(path: Path, *items: DeadLetter | Resolution | bytes) -> Path:
    """Append lines to a file."""
    with path.open("ab") as file:
        for item in items:
            file.write(
                item
                if isinstance(item, bytes)
                else to_line(item)
                if isinstance(item, DeadLetter)
                else resolution_line(item)
            )
    return path


def resolved(entry: DeadLetter) -> Resolution:
    """Return the resolution of an entry."""
    return Resolution(entry.key, entry.first_seen_ms, entry.first_seen_ms + 1_000)


def inventory(*paths: Path) -> Inventory:
    """Return what is in files."""
    archive = Archive(paths)
    try:
        return take_inventory(archive)
    finally:
        archive.close()


def lines(path: Path) -> Iterable[dict[str, object]]:
    """Return the documents in a file."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]
