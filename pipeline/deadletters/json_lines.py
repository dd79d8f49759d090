"""Dead letters and their resolutions as lines of JSON: complete, and readable without this program."""

from base64 import b64decode, b64encode
from typing import Any

import orjson

from pipeline import __version__
from pipeline.calls import CallKind, CallSource, Reason
from pipeline.deadletters.entry import DeadLetter, LetterKey, Resolution, Settlement
from pipeline.records import Position, Record


class NotADeadLetterError(Exception):
    """A line that is neither a dead letter nor a resolution; the text says why and holds nothing of the line."""


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
            "call": source and str(source),
            **_source_fields(source),
            "field": entry.field,
            "status": entry.status,
            "answer": entry.answer,
            "attempts": entry.attempts,
            "first_seen_ms": entry.first_seen_ms,
            "version": __version__,
            **_given(replay=entry.replay, as_new=entry.as_new),
            **_original(record),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def resolution_line(resolution: Resolution) -> bytes:
    """Return a resolution as one line."""
    position, digest, source, as_new = resolution.key
    return orjson.dumps(
        {
            "resolves": {
                **position._asdict(),
                "digest": digest,
                **_source_fields(source),
                **_given(as_new=as_new),
            },
            "until_ms": resolution.until_ms,
            "resolved_ms": resolution.resolved_ms,
            "settlement": resolution.settlement,
            "version": __version__,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def record_line(record: Record) -> bytes:
    """Return an original record as one line, with nothing of what became of it."""
    return orjson.dumps({**record.position._asdict(), **_original(record)}, option=orjson.OPT_APPEND_NEWLINE)


def from_line(line: bytes) -> DeadLetter | Resolution:
    """Return what a line holds.

    Raises:
        NotADeadLetterError: it is torn, or somebody else's.
    """
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise NotADeadLetterError("the line is torn, or no JSON") from None
    try:
        return _resolution(document) if "resolves" in document else _entry(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NotADeadLetterError("the line is no dead letter") from None


def _entry(document: dict[str, Any]) -> DeadLetter:
    headers = tuple((_text(name), _bytes(value)) for name, value in document["headers"])
    timestamp_ms = document["timestamp_ms"]
    return DeadLetter(
        Record(
            *_position(document),
            _bytes(document["key"]),
            _bytes(document["value"]),
            headers,
            None if timestamp_ms is None else _number(timestamp_ms),
        ),
        Reason(document["reason"]),
        _text(document["text"]),
        _number(document["first_seen_ms"]),
        _source(document),
        document["field"],
        document["status"],
        document["answer"],
        _number(document["attempts"]),
        document.get("replay"),
        document.get("as_new"),
    )


def _resolution(document: dict[str, Any]) -> Resolution:
    resolves = document["resolves"]
    return Resolution(
        LetterKey(_position(resolves), _text(resolves["digest"]), _source(resolves), resolves.get("as_new")),
        _number(document["until_ms"]),
        _number(document["resolved_ms"]),
        Settlement(document["settlement"]),
    )


def _given(**fields: str | None) -> dict[str, str]:
    """Return what only an entry of a replay has."""
    return {name: value for name, value in fields.items() if value is not None}


def _source_fields(source: CallSource | None) -> dict[str, Any]:
    return dict.fromkeys(CallSource._fields) if source is None else source._asdict()


def _source(document: dict[str, Any]) -> CallSource | None:
    if document["rule"] is None:
        return None
    return CallSource(
        _text(document["rule"]),
        CallKind(document["kind"]),
        document["name"],
        _number(document["ordinal"]),
        document["element"],
    )


def _position(document: dict[str, Any]) -> Position:
    return Position(_text(document["topic"]), _number(document["partition"]), _number(document["offset"]))


def _original(record: Record) -> dict[str, Any]:
    return {
        "timestamp_ms": record.timestamp_ms,
        "key": _readable(record.key),
        "value": _readable(record.value),
        "headers": [[name, _readable(value)] for name, value in record.headers],
    }


def _readable(value: bytes | None) -> Any:
    """Return text as it is, other bytes as `{"base64": ...}`, nothing as null."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


def _bytes(value: Any) -> bytes | None:
    if value is None:
        return None
    return b64decode(value["base64"], validate=True) if isinstance(value, dict) else _text(value).encode()


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value
