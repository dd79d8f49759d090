"""Dead letters as a person reads them, and as a program does."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from pipeline.deadletters.archive import Archive
from pipeline.deadletters.masking import Mask
from pipeline.deadletters.matching import match
from pipeline.deadletters.selection import Kind
from pipeline.deadletters.unresolved import Unresolved
from pipeline.records import Record
from pipeline.translation import Translation

PLAIN_WIDTH = 200
KIND_COLUMNS = ("count", "reason", "rule", "field", "first seen", "last seen", "example")
LETTER_COLUMNS = ("position", "call", "reason", "field", "last seen")


def table(rows: Sequence[Sequence[str]], names: Sequence[str], console: Console) -> None:
    """Print rows under their names; what is not a terminal gets long lines instead of folded cells."""
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        made.add_column(name, justify="right" if name == "count" else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    console.print(made, markup=False)


def kind_rows(kinds: Sequence[Kind]) -> list[list[str]]:
    """Return a row for each group of dead letters."""
    return [
        [
            f"{kind.count:,}",
            kind.reason,
            kind.rule or "-",
            kind.field or "-",
            moment(kind.first_seen_ms),
            moment(kind.last_seen_ms),
            kind.example,
        ]
        for kind in kinds
    ]


def letter_rows(letters: Sequence[Unresolved], mask: Mask) -> list[list[str]]:
    """Return a row for each dead letter."""
    return [
        [
            str(letter.position),
            mask.source(letter.source) or "-",
            letter.reason,
            letter.field or "-",
            moment(letter.last_seen_ms),
        ]
        for letter in letters
    ]


def letter_document(letter: Unresolved, mask: Mask) -> dict[str, Any]:
    """Return a dead letter for JSON, without the original."""
    return {
        **letter.position._asdict(),
        "reason": letter.reason,
        "rule": letter.source and letter.source.rule,
        "call": mask.source(letter.source),
        "field": letter.field,
        "status": letter.status,
        "text": letter.text,
        "times": letter.times,
        "replay": letter.replay,
        "as_new": letter.key.as_new,
        "attempts": letter.attempts,
        "first_seen_ms": letter.first_seen_ms,
        "last_seen_ms": letter.last_seen_ms,
    }


def record_document(
    record: Record, translation: Translation, letters: Sequence[Unresolved], archive: Archive, mask: Mask
) -> dict[str, Any]:
    """Return everything about the dead letters of one record: the original, what failed, what would be sent now."""
    entries = [archive.load(letter.place, letter.key) for letter in letters]
    matches = [match(letter, translation) for letter in letters]
    return {
        "original": mask.record(record),
        "dead_letters": [
            {**letter_document(letter, mask), "answer": mask.text(entry.answer), "retried": list(found.calls)}
            for letter, entry, found in zip(letters, entries, matches, strict=True)
        ],
        "calls": [
            {"call": mask.source(call.source), "operation": mask.payload(call.payload, call.source.kind)}
            for call in translation.calls
        ],
        "failures": [
            {"call": mask.source(failure.source), "reason": failure.reason, "text": failure.text}
            for failure in translation.failures
        ],
    }


def record_lines(document: dict[str, Any]) -> Iterator[str]:
    """Yield what `record_document` returned, line by line."""
    original = document["original"]
    yield f"{original['topic']}/{original['partition']}@{original['offset']}"
    yield f"  timestamp  {moment(original['timestamp_ms'])}"
    yield f"  key        {_json(original['key'])}"
    for name, value in original["headers"]:
        yield f"  header     {name}: {_json(value)}"
    yield "  value"
    yield from _block(original["value"])
    for letter in document["dead_letters"]:
        yield from _letter_lines(letter)
    yield ""
    yield "The current mapping makes of it" + (
        ":" if document["calls"] or document["failures"] else " nothing."
    )
    meant = {index for letter in document["dead_letters"] for index in letter["retried"]}
    for index, call in enumerate(document["calls"]):
        yield f"  {call['call']}{'  <- a retry sends this' if index in meant else ''}"
        yield from _block(call["operation"])
    for failure in document["failures"]:
        yield f"  {failure['call'] or 'the record'} fails ({failure['reason']}): {failure['text']}"


def _letter_lines(letter: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"{letter['call'] or 'the whole record'}: {letter['reason']}"
    yield f"  {letter['text']}"
    for name in ("field", "status", "answer", "replay"):
        if letter[name] is not None:
            yield f"  {name:10} {letter[name]}"
    yield f"  entries    {letter['times']:,}"
    yield f"  requests   {letter['attempts']:,}"
    yield f"  first      {moment(letter['first_seen_ms'])}"
    yield f"  last       {moment(letter['last_seen_ms'])}"


def moment(time_ms: int | None) -> str:
    """Return a time as a text, in UTC."""
    if time_ms is None:
        return "-"
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _block(value: Any) -> Iterator[str]:
    for line in orjson.dumps(value, option=orjson.OPT_INDENT_2).decode().splitlines():
        yield f"    {line}"
