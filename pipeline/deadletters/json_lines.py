"""A dead letter as one line of JSON: complete, and readable without this program."""

from base64 import b64encode
from typing import Any

import orjson

from pipeline import __version__
from pipeline.deadletters.entry import DeadLetter


def to_line(entry: DeadLetter) -> bytes:
    """Return an entry as one line. Bytes that are not UTF-8 are written as base64."""
    record, source = entry.record, entry.source
    return orjson.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "reason": entry.reason,
            "text": entry.text,
            "rule": source and source.rule,
            "call": source and str(source),
            "element": source and source.element,
            "field": entry.field,
            "status": entry.status,
            "answer": entry.answer,
            "attempts": entry.attempts,
            "first_seen_ms": entry.first_seen_ms,
            "version": __version__,
            "timestamp_ms": record.timestamp_ms,
            "key": _readable(record.key),
            "value": _readable(record.value),
            "headers": [[name, _readable(value)] for name, value in record.headers],
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _readable(value: bytes | None) -> Any:
    """Return text as it is, other bytes as `{"base64": ...}`, nothing as null."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}
