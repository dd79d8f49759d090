"""Envelopes around an event: taken off, or brought into one form, before the rules see it.

CloudEvents (the Kafka binding 1.0.2): structured, the value is the whole event; binary, the attributes are headers
`ce_...` and the value is the data. Rules see the structured form of both: the attributes with `data` among them.

Debezium: with its schema the change is under `payload`, without it is the value itself. Rules see the change: `op`,
`before`, `after`, `source`, `ts_ms`.
"""

from base64 import b64decode
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pipeline.decode.json import read_json
from pipeline.decode.outcomes import SchemaPending, Undecodable
from pipeline.records import Record

Decode = Callable[[Record], Any]

_STRUCTURED = "application/cloudevents"
_PREFIX = "ce_"


class Envelope(StrEnum):
    """What an event is wrapped in."""

    NONE = "none"
    CLOUDEVENTS = "cloudevents"
    DEBEZIUM = "debezium"


def unwrapped(envelope: Envelope, decode: Decode) -> Decode:
    """Return a decoder that takes an envelope off what `decode` gives."""
    match envelope:
        case Envelope.NONE:
            return decode
        case Envelope.DEBEZIUM:
            return lambda record: _debezium(decode(record))
        case Envelope.CLOUDEVENTS:
            return lambda record: _cloud_event(record, decode)


def _debezium(event: Any) -> Any:
    if event is None or isinstance(event, Undecodable | SchemaPending):
        return event
    if isinstance(event, dict) and event.keys() == {"schema", "payload"}:
        event = event["payload"]
    if event is None or (isinstance(event, dict) and "op" in event):
        return event
    return Undecodable("the value is no change of Debezium's: it has no 'op'")


def _cloud_event(record: Record, decode: Decode) -> Any:
    headers = _text_headers(record)
    content_type = headers.get("content-type", "")
    if content_type.lower().startswith(_STRUCTURED):
        # This mode is JSON whatever the topic's format is: the content type says so.
        return _structured(None if record.value is None else read_json(record.value))
    attributes = {
        name.removeprefix(_PREFIX): text for name, text in headers.items() if name.startswith(_PREFIX)
    }
    if "specversion" in attributes:
        return _binary(attributes, content_type, decode(record))
    return _structured(decode(record))


def _binary(attributes: dict[str, str], content_type: str, data: Any) -> Any:
    if isinstance(data, Undecodable | SchemaPending):
        return data
    if content_type:
        attributes["datacontenttype"] = content_type
    return {**attributes, "data": data}


def _structured(event: Any) -> Any:
    if event is None or isinstance(event, Undecodable | SchemaPending):
        return event
    if not isinstance(event, dict) or "specversion" not in event:
        return Undecodable(
            "the record is no CloudEvent: it has neither a header 'ce_specversion' nor a field 'specversion'"
        )
    if "data_base64" not in event or "data" in event:
        return event
    return _with_data(event)


def _with_data(event: dict[str, Any]) -> Any:
    """Put what is in `data_base64` under `data`, where it is JSON."""
    if "json" not in str(event.get("datacontenttype", "application/json")):
        return event
    try:
        data = read_json(b64decode(event["data_base64"], validate=True))
    except (ValueError, TypeError):
        return Undecodable("the CloudEvent's 'data_base64' is not base64")
    if isinstance(data, Undecodable):
        return Undecodable("the CloudEvent's 'data_base64' holds no JSON")
    return {**{name: part for name, part in event.items() if name != "data_base64"}, "data": data}


def _text_headers(record: Record) -> dict[str, str]:
    """Return the last value of each header that is text, by the lower-case name."""
    headers = {}
    for name, value in record.headers:
        try:
            headers[name.lower()] = (value or b"").decode()
        except UnicodeDecodeError:
            continue
    return headers
