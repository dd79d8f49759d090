"""What every dead-letter store does: nothing is reported safe before it is. On the fake and on real files."""

import errno
import json
import os
from pathlib import Path

import pytest

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.file import FileDeadLetters
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import ConfigurationError, DeadLettersUnavailableError
from pipeline.records import Record
from tests.fakes.dead_letters import FakeDeadLetters
from tests.operations_made import PARTITION

RECORD = Record(
    "events", 3, 41, b"\xff\x00", b'{"a": 1}', (("trace", b"x"), ("trace", None)), 1_773_480_413_000
)


class Disk:
    """`fsync` with a switch, so that a test can break the disk."""

    def __init__(self) -> None:
        self.broken = False
        self.syncs = 0

    def sync(self, descriptor: int) -> None:
        if self.broken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.syncs += 1
        os.fsync(descriptor)


def entry(record: Record = RECORD, **changes: object) -> DeadLetter:
    return DeadLetter(record, Reason.REJECTED, "refused", 1_773_480_414_000, **changes)  # type: ignore[arg-type]


def opened() -> OpenRecord:
    return OpenRecord(RECORD, PARTITION, calls=1, weight=0)


@pytest.fixture(params=["fake", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FakeDeadLetters | FileDeadLetters:
    return FakeDeadLetters() if request.param == "fake" else FileDeadLetters(tmp_path / "dead.jsonl")


def test_what_was_written_is_safe_after_the_flush_and_reported_once(store: FileDeadLetters) -> None:
    first, second = opened(), opened()
    store.write(entry(), first)
    store.write(entry(), second)
    store.write(entry(), first)
    assert list(store.flush()) == [first, second, first]
    assert list(store.flush()) == []
    store.close()


def test_with_nothing_written_a_flush_does_nothing(store: FileDeadLetters) -> None:
    assert list(store.flush()) == []
    store.close()


def test_a_line_holds_all_that_is_needed_to_send_the_call_again(tmp_path: Path) -> None:
    store = FileDeadLetters(tmp_path / "dead.jsonl")
    source = CallSource("order", CallKind.TRACK, "order_placed", 1, "sku-7")
    store.write(entry(source=source, field="name", status=207, answer="too long", attempts=2), opened())
    store.flush()
    store.close()
    line = json.loads((tmp_path / "dead.jsonl").read_text())
    assert line.pop("version")
    assert line == {
        "topic": "events",
        "partition": 3,
        "offset": 41,
        "reason": "rejected",
        "text": "refused",
        "call": "order/track#1[sku-7]",
        "rule": "order",
        "kind": "track",
        "name": "order_placed",
        "ordinal": 1,
        "element": "sku-7",
        "field": "name",
        "status": 207,
        "answer": "too long",
        "attempts": 2,
        "first_seen_ms": 1_773_480_414_000,
        "timestamp_ms": 1_773_480_413_000,
        "key": {"base64": "/wA="},
        "value": '{"a": 1}',
        "headers": [["trace", "x"], ["trace", None]],
    }


def test_a_full_disk_reports_nothing_safe_and_leaves_no_half_line(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "dead.jsonl"
    store = FileDeadLetters(path, sync=disk.sync)
    record = opened()
    store.write(entry(), record)
    disk.broken = True
    for _ in range(3):
        with pytest.raises(DeadLettersUnavailableError, match="No space left"):
            store.flush()
        assert path.read_bytes() == b""
    disk.broken = False
    assert list(store.flush()) == [record]
    assert len(path.read_text().splitlines()) == 1
    store.close()


def test_entries_are_synced_once_for_each_flush(tmp_path: Path) -> None:
    disk = Disk()
    store = FileDeadLetters(tmp_path / "dead.jsonl", sync=disk.sync)
    for _ in range(100):
        store.write(entry(), opened())
    store.flush()
    assert disk.syncs == 1
    store.close()


def test_the_file_is_appended_to_and_a_line_that_a_crash_tore_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    path.write_bytes(b'{"whole": 1}\n{"torn')
    store = FileDeadLetters(path)
    store.write(entry(), opened())
    store.flush()
    store.close()
    whole, torn, mine = path.read_text().splitlines()
    assert (whole, torn) == ('{"whole": 1}', '{"torn')
    assert json.loads(mine)["offset"] == 41


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    FileDeadLetters(tmp_path / "dead.jsonl").close()
    assert (tmp_path / "dead.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"cannot write the dead-letter file .*: No such file or directory"
    ):
        FileDeadLetters(tmp_path / "missing" / "dead.jsonl")
