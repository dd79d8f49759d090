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


def is_ulid(text: str) -> bool:
    """Tell whether a text is a ULID: 26 characters of Crockford's base 32, the first at most 7."""
    return _ULID.match(text) is not None


def record_digest(record: Record) -> str:
    """Return the digest of a record's value that its event ids depend on; a tombstone differs from an empty value."""
    return "" if record.value is None else blake2b(record.value, digest_size=16).hexdigest()


def event_id(namespace: str, record: Record, digest: str, source: CallSource) -> str:
    """Return the id of a counted call.

    The first 48 bits are the record's time, clamped; the other 80 are a hash over the namespace, the record's
    position and digest, and the part of the rule that made the call. Adding a rule or a call changes no other id, and
    a topic that was created anew does not repeat the ids of the old one.
    """
    seed = (namespace, record.topic, record.partition, record.offset, digest, *source)
    time_ms = min(max(record.timestamp_ms or 0, 0), _MAX_TIME_MS)
    return _ulid(time_ms << 80 | int.from_bytes(_hash(seed, 10)))


def derived_event_id(namespace: str, own: str, source: CallSource) -> str:
    """Return the id of a call whose rule gives an event id of its own.

    It does not depend on the record, so that an event which the producer sent twice is counted once. The whole ULID
    is hash: 128 bits, so that its first character is at most 7.
    """
    return _ulid(int.from_bytes(_hash((namespace, own, *source), 16)))


def _hash(seed: tuple[object, ...], size: int) -> bytes:
    return blake2b(orjson.dumps(seed), digest_size=size).digest()


def _ulid(number: int) -> str:
    """Write 128 bits in base 32: two characters, and three times eight."""
    return f"{_PAIRS[number >> 120]}{_eight(number >> 80)}{_eight(number >> 40)}{_eight(number)}"


def _eight(number: int) -> str:
    """Write the last 40 bits of a number, two characters at a time."""
    bits = number & _LAST_40_BITS  # a number this small is shifted in half the time
    return f"{_PAIRS[bits >> 30]}{_PAIRS[bits >> 20 & 1023]}{_PAIRS[bits >> 10 & 1023]}{_PAIRS[bits & 1023]}"
