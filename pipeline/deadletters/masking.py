"""What of a dead letter may be seen: secrets never, personal data when asked for.

Every text and number of an event is taken for personal data, since nobody can tell which are not; the shape stays.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.calls import CallKind, CallSource
from pipeline.records import Record

HIDDEN = "***"
_SENSITIVE = (
    r"pass(?:word|wd|phrase)|secret|token|api[_-]?key|authorization|cookie|credential|private[_-]?key"
)
_SECRET_NAME = re.compile(_SENSITIVE, re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    rf'((?:{_SENSITIVE})[^"\':=]*["\']?\s*[:=]\s*["\']?)[^"\'\s,;}}]+', re.IGNORECASE
)
_PLAIN_NAME = re.compile(r"[A-Za-z_$][\w $.:/-]{0,63}")
_PLAIN_EVENT = re.compile(r"[A-Za-z][A-Za-z _.:/-]{0,63}")
_KEPT = frozenset({"type", "action", "id", "timestamp"})


@dataclass(frozen=True, slots=True, repr=False)
class Mask:
    """Hides what must not be seen. With `reveal` only secrets are hidden: `secrets`, and what is named like one."""

    reveal: bool = False
    secrets: Sequence[str] = ()

    def value(self, value: Any, name: str = "") -> Any:
        """Return a JSON value that may be shown; `name` is what it is called."""
        if _SECRET_NAME.search(name) and value is not None:
            return HIDDEN
        if isinstance(value, dict):
            return {self.name(key): self.value(part, key) for key, part in value.items()}
        if isinstance(value, list):
            return [self.value(part) for part in value]
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool) or self.reveal:
            return value
        return "(number)"

    def text(self, text: str | None) -> str | None:
        """Return a text that may be shown."""
        if text is None:
            return None
        if not self.reveal:
            return f"(text, {len(text):,} characters)"
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return _SECRET_IN_TEXT.sub(rf"\1{HIDDEN}", text)

    def octets(self, data: bytes | None, name: str = "") -> Any:
        """Return bytes as they may be shown: as JSON, as text, or as base64."""
        if data is None:
            return None
        try:
            return self.value(orjson.loads(data), name)
        except orjson.JSONDecodeError:
            pass
        try:
            return self.value(data.decode(), name)
        except UnicodeDecodeError:
            return b64encode(data).decode() if self.reveal else f"({len(data):,} bytes)"

    def record(self, record: Record) -> dict[str, Any]:
        """Return an original as it may be shown."""
        return {
            **record.position._asdict(),
            "timestamp_ms": record.timestamp_ms,
            "key": self.octets(record.key),
            "headers": [[name, self.octets(value, name)] for name, value in record.headers],
            "value": self.octets(record.value),
        }

    def payload(self, payload: bytes, kind: CallKind) -> dict[str, Any]:
        """Return a call in its wire form as it may be shown.

        What it does, its event id and its time are no personal data, and neither is the name of a tracked event
        unless it looks otherwise; the name of a page can be an address that holds anything.
        """
        document: dict[str, Any] = orjson.loads(payload)
        shown = {name: part if name in _KEPT else self.value(part, name) for name, part in document.items()}
        if _is_plain_event(kind, str(document.get("name"))):
            shown["name"] = document["name"]
        return shown

    def source(self, source: CallSource | None) -> str | None:
        """Return what a call is called; the key of an element is data of the event, its index is not."""
        if source is None or self.reveal:
            return source and str(source)
        if source.name is not None and not _is_plain_event(source.kind, source.name):
            source = source._replace(name=HIDDEN)
        if isinstance(source.element, str):
            source = source._replace(element=HIDDEN)
        return str(source)

    def name(self, name: str) -> str:
        """Return the name of a field as it may be shown: a name that is no word may be an address or an id."""
        if self.reveal or _PLAIN_NAME.fullmatch(name):
            return name
        return f"(name, {len(name):,} characters)"


def _is_plain_event(kind: CallKind, name: str) -> bool:
    return kind is CallKind.TRACK and _PLAIN_EVENT.fullmatch(name) is not None
