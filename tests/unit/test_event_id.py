"""Event ids are ULIDs that depend on the record and the call, and on nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource
from pipeline.event_id import derived_event_id, event_id, hashed_value, is_ulid
from pipeline.records import Record

RECORD = Record("orders", 3, 1042, b"k", b'{"a":1}', (), 1_773_480_413_000)
SOURCE = CallSource("order", CallKind.TRACK, "order_completed")


def made(record: Record = RECORD, source: CallSource = SOURCE, namespace: str = "") -> str:
    return event_id(namespace, record, hashed_value(record), source)


def test_the_id_of_a_known_call_never_changes() -> None:
    """A new version that computes other ids would count everything again after an upgrade."""
    assert made() == "01KKNTQ1T845FFBERP5H925T7H"
    assert derived_event_id("", "evt_1", SOURCE) == "2BN59ZM4KYWYHRYJHR5Q3618VJ"


def test_the_time_part_is_the_records_timestamp() -> None:
    assert made()[:10] == "01KKNTQ1T8"
    assert made(RECORD._replace(timestamp_ms=None))[:10] == "0" * 10
    assert made(RECORD._replace(timestamp_ms=-5))[:10] == "0" * 10
    assert made(RECORD._replace(timestamp_ms=2**60))[:10] == "7ZZZZZZZZZ"


def test_everything_that_tells_calls_apart_changes_the_id() -> None:
    variants = [
        made(),
        made(namespace="staging"),
        made(RECORD._replace(topic="orders2")),
        made(RECORD._replace(partition=4)),
        made(RECORD._replace(offset=1043)),
        made(RECORD._replace(value=b'{"a":2}')),
        made(RECORD._replace(value=b"")),
        made(RECORD._replace(value=b"-")),
        made(RECORD._replace(value=None)),
        made(RECORD._replace(value=b"v" * 1_024)),
        made(RECORD._replace(value=b"v" * 1_025)),
        made(RECORD._replace(value=b"v" * 1_026)),
        made(source=SOURCE._replace(rule="other")),
        made(source=SOURCE._replace(kind=CallKind.PAGE)),
        made(source=SOURCE._replace(name="other")),
        made(source=SOURCE._replace(ordinal=1)),
        made(source=SOURCE._replace(element=1)),
        made(source=SOURCE._replace(element="1")),
    ]
    assert len(set(variants)) == len(variants)


def test_key_and_headers_do_not_change_the_id() -> None:
    assert made(RECORD._replace(key=b"other", headers=(("a", b"b"),))) == made()


@given(st.text(), st.text(), st.integers(0, 9), st.none() | st.text() | st.integers(0, 10**6))
def test_a_rules_own_id_gives_one_ulid_for_each_call(
    namespace: str, own: str, ordinal: int, element: str | int | None
) -> None:
    source = SOURCE._replace(ordinal=ordinal, element=element)
    derived = derived_event_id(namespace, own, source)
    assert is_ulid(derived)
    assert derived == derived_event_id(namespace, own, source)
    assert derived != derived_event_id(namespace, own, source._replace(ordinal=ordinal + 1))


@given(st.integers(0, 2**48 - 1), st.binary(max_size=2_000), st.integers(0, 2**40))
def test_every_id_is_a_ulid(timestamp_ms: int, value: bytes, offset: int) -> None:
    assert is_ulid(made(RECORD._replace(timestamp_ms=timestamp_ms, value=value, offset=offset)))


def test_what_is_not_a_ulid_is_told_apart() -> None:
    assert is_ulid("01HB4HBDKTFWYZCK01DMRSWRFD")
    assert is_ulid("01hb4hbdktfwyzck01dmrswrfd")
    for text in ("", "01HB4HBDKTFWYZCK01DMRSWRF", "81HB4HBDKTFWYZCK01DMRSWRFD", "01HB4HBDKTFWYZCK01DMRSWRFU"):
        assert not is_ulid(text)
