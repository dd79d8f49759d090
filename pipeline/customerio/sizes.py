"""Where a call may travel, by its size."""

import orjson

from pipeline.calls import COUNTED_KINDS, Call, CallFailure, CallKind, IdentityKind, Reason
from pipeline.customerio.identifiers import path_value
from pipeline.customerio.limits import MAX_ITEM_BYTES, MAX_V1_EVENT_DATA_BYTES
from pipeline.customerio.operations import RAW_TYPE

_V1_EVENT_OVERHEAD_BYTES = 1_000
"""More than an event has beside its data: names, an identifier, an id, a timestamp."""


_RAW_START = f'{{"type":"{RAW_TYPE}"'.encode()


def fits_v2(payload: bytes) -> bool:
    """Tell whether an encoded operation may be an item of a v2 batch."""
    return len(payload) <= MAX_ITEM_BYTES


def travels_alone(payload: bytes) -> bool:
    """Tell whether an encoded operation cannot be an item of a batch: too large for v2, or a raw request."""
    return len(payload) > MAX_ITEM_BYTES or is_raw(payload)


def is_raw(payload: bytes) -> bool:
    """Tell whether an encoded operation is a raw request."""
    return payload.startswith(_RAW_START)


def check_size(call: Call, payload: bytes) -> CallFailure | None:
    """Return why an encoded call is too large for v2 and for v1, or None when one of them takes it.

    What does not fit v2 and passes here must be sent with `TrackClient.send_single`.
    """
    if fits_v2(payload) or call.source.kind is CallKind.RAW:
        return None
    size = f"the call has {len(payload)} bytes, at most {MAX_ITEM_BYTES} are allowed"
    if call.source.kind not in COUNTED_KINDS or call.identity is None:
        return CallFailure(call.source, Reason.TOO_LARGE, size, "attributes")
    if call.identity.kind is not IdentityKind.ANONYMOUS_ID and path_value(call.identity) is None:
        text = f"{size}, and v1, which takes more, would not read this {call.identity.kind} as what it is"
        return CallFailure(call.source, Reason.TOO_LARGE, text, "attributes")
    if len(payload) <= MAX_V1_EVENT_DATA_BYTES:
        return None
    data = _data_bytes(payload)
    if data <= MAX_V1_EVENT_DATA_BYTES:
        return None
    text = f"the data have {data} bytes, at most {MAX_V1_EVENT_DATA_BYTES} are allowed even by v1"
    return CallFailure(call.source, Reason.TOO_LARGE, text, "attributes")


def _data_bytes(payload: bytes) -> int:
    if len(payload) > MAX_V1_EVENT_DATA_BYTES + _V1_EVENT_OVERHEAD_BYTES:
        return len(payload)
    return len(orjson.dumps(orjson.loads(payload)["attributes"]))
