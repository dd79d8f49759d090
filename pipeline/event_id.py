"""Event ids: a ULID that is a pure function of the record and the call (G2).

Customer.io drops an event whose id it has seen, so a record that is delivered again is not counted again. The time in
a ULID is not used there (a statement of Customer.io's staff), only the uniqueness of the value is.
"""

import re
from hashlib import blake2b

import orjson

from pipeline.calls import CallSource
from pipeline.records import Record

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z", re.IGNORECASE)
_MAX_TIME_MS = 2**48 - 1
_LAST_40_BITS = 2**40 - 1
_LAST_80_BITS = 2**80 - 1
_HASHED_WHOLE_BYTES = 1_024
"""A longer value is hashed once for all calls of its record; a shorter one goes into the hash of each as it is."""


def is_ulid(text: str) -> bool:
    """Tell whether a text is a ULID: 26 characters of Crockford's base 32, the first at most 7."""
    return _ULID.match(text) is not None


def record_digest(record: Record) -> str:
    """Return the digest of a record's value; a tombstone differs from an empty value."""
    return "" if record.value is None else blake2b(record.value, digest_size=16).hexdigest()


def hashed_value(record: Record) -> bytes:
    """Return what stands for a record's value in the hashes of its event ids."""
    value = record.value
    if value is None:
        return b"-"
    return (
        b"=" + value if len(value) <= _HASHED_WHOLE_BYTES else b"#" + blake2b(value, digest_size=16).digest()
    )


def event_id(namespace: str, record: Record, value: bytes, source: CallSource) -> str:
    """Return the id of a counted call; `value` is the record's `hashed_value`.

    The first 48 bits are the record's time, clamped; the other 80 are a hash over the namespace, the record's
    position and value, and the part of the rule that made the call. Adding a rule or a call changes no other id, and
    a topic that was created anew does not repeat the ids of the old one.
    """
    seed = orjson.dumps((namespace, record.topic, record.partition, record.offset, *source))
    time_ms = min(max(record.timestamp_ms or 0, 0), _MAX_TIME_MS)
    return _ulid(time_ms, int.from_bytes(blake2b(seed + value, digest_size=10).digest()))


def derived_event_id(namespace: str, own: str, source: CallSource) -> str:
    """Return the id of a call whose rule gives an event id of its own.

    It does not depend on the record, so that an event which the producer sent twice is counted once. The whole ULID
    is hash: 128 bits, so that its first character is at most 7.
    """
    number = int.from_bytes(blake2b(orjson.dumps((namespace, own, *source)), digest_size=16).digest())
    return _ulid(number >> 80, number & _LAST_80_BITS)


def _ulid(time: int, rest: int) -> str:
    """Write 48 and 80 bits in base 32, two characters at a time; numbers of 40 bits are shifted in half the time."""
    pairs, high, low = _PAIRS, rest >> 40, rest & _LAST_40_BITS
    return (
        f"{pairs[time >> 40]}{pairs[time >> 30 & 1023]}{pairs[time >> 20 & 1023]}{pairs[time >> 10 & 1023]}"
        f"{pairs[time & 1023]}"
        f"{pairs[high >> 30]}{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
        f"{pairs[low >> 30]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"
    )
