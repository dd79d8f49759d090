"""A dead letter as a message of Kafka.

Key and value are the original's. The original's headers come first, as they were; ours follow and begin with
`cio.`, their values are text. The message's own timestamp is the time of writing, so that the topic's
retention counts from there and not from the time of the original, which stands in `cio.timestamp_ms`. `cio.source`
names the call for this program, `cio.call` for people.

A resolution has no original: its value is its line of JSON, and its one header is `cio.resolution`.
"""

import hashlib
from dataclasses import replace
from typing import NamedTuple, TypeVar

import orjson

from pipeline import __version__
from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.deadletters.json_lines import resolution_line
from pipeline.records import Headers

PREFIX = "cio."
RESOLUTION = f"{PREFIX}resolution"
_POINTER_KEY_MAX_BYTES = 4_096
_POINTER_TEXT_MAX = 200
"""How many characters a pointer keeps of each text: it must fit any topic, and a name or an element can be an event's
data of any length. The overflow file has them whole."""


_T = TypeVar("_T")


class DeadLetterMessage(NamedTuple):
    """What is produced."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def whole(entry: DeadLetter) -> DeadLetterMessage:
    """Return the message that holds all of it."""
    record = entry.record
    return DeadLetterMessage(record.key, record.value, (*record.headers, *_ours(entry)))


def resolution_message(resolution: Resolution) -> DeadLetterMessage:
    """Return the message that ends a dead letter."""
    return DeadLetterMessage(None, resolution_line(resolution), ((RESOLUTION, b"true"),))


def pointer_to(entry: DeadLetter) -> DeadLetterMessage:
    """Return the message for an entry that is too large for the topic: where it stands, and a digest of its value.

    The original's headers are left out, its key where that is what is large, and the rest of each long text.
    """
    key, value = entry.record.key, entry.record.value or b""
    omitted = (
        (f"{PREFIX}omitted", b"true"),
        (f"{PREFIX}value_bytes", b"%d" % len(value)),
        (f"{PREFIX}value_sha256", hashlib.sha256(value).hexdigest().encode()),
    )
    small_key = key if key is not None and len(key) <= _POINTER_KEY_MAX_BYTES else None
    return DeadLetterMessage(small_key, b"", (*_ours(_shortened(entry)), *omitted))


def _shortened(entry: DeadLetter) -> DeadLetter:
    source = entry.source
    return replace(
        entry,
        text=entry.text[:_POINTER_TEXT_MAX],
        field=_short(entry.field),
        answer=_short(entry.answer),
        source=source
        and source._replace(
            rule=source.rule[:_POINTER_TEXT_MAX], name=_short(source.name), element=_short(source.element)
        ),
    )


def _short(value: _T) -> _T | str:
    return value[:_POINTER_TEXT_MAX] if isinstance(value, str) else value


def _ours(entry: DeadLetter) -> Headers:
    record, source = entry.record, entry.source
    values: dict[str, object] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "reason": entry.reason.value,
        "text": entry.text,
        "rule": source and source.rule,
        "call": source and str(source),
        "source": source and orjson.dumps(tuple(source)).decode(),
        "element": source and source.element,
        "field": entry.field,
        "status": entry.status,
        "answer": entry.answer,
        "attempts": entry.attempts,
        "first_seen_ms": entry.first_seen_ms,
        "version": __version__,
    }
    of_a_replay = {"replay": entry.replay, "as_new": entry.as_new}
    values |= {name: value for name, value in of_a_replay.items() if value is not None}
    return tuple(
        (f"{PREFIX}{name}", None if value is None else str(value).encode(errors="replace"))
        for name, value in values.items()
    )
