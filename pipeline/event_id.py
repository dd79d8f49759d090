"""Event ids: a ULID that is a pure function of the record and the call (G2).

Customer.io drops an event whose id it has seen, so a record that is delivered again is not counted again. The time in
a ULID is not used there (a statement of Customer.io's staff), only the uniqueness of the value is.
"""

import re
from functools import lru_cache
from hashlib import blake2b

import orjson

from pipeline.calls import CallSource
from pipeline.records import Record

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_CHARACTERS = bytes(ord(_ALPHABET[byte % 32]) for byte in range(256))
"""Five bits of each byte as a character."""
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z", re.IGNORECASE)
_MAX_TIME_MS = 2**48 - 1
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
    digest = blake2b(seed + value, digest_size=16).digest()
    return _time_part(time_ms) + digest.translate(_CHARACTERS).decode()


def derived_event_id(namespace: str, own: str, source: CallSource) -> str:
    """Return the id of a call whose rule gives an event id of its own.

    It does not depend on the record, so that an event which the producer sent twice is counted once. The whole ULID
    is hash: 128 bits, so that its first character is at most 7.
    """
    digest = blake2b(orjson.dumps((namespace, own, *source)), digest_size=26).digest()
    return _ALPHABET[digest[0] % 8] + digest[1:].translate(_CHARACTERS).decode()


def _time_part(time_ms: int) -> str:
    """Write 48 bits as ten characters; the first six change every seventeen minutes."""
    return f"{_first_six(time_ms >> 20)}{_PAIRS[time_ms >> 10 & 1023]}{_PAIRS[time_ms & 1023]}"


@lru_cache(maxsize=1_024)
def _first_six(time: int) -> str:
    return f"{_PAIRS[time >> 20]}{_PAIRS[time >> 10 & 1023]}{_PAIRS[time & 1023]}"
