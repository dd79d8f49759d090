"""What every dead-letter store does: nothing is reported safe before it is. On the fake and on real files."""

import errno
import json
import os
import uuid
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest

from pipeline.append_only import AppendOnlyFile
from pipeline.calls import CallKind, CallSource, Reason
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.deadletters.file import DEAD_LETTER_FILE, FileDeadLetters
from pipeline.deadletters.json_lines import from_line, resolution_line
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import ConfigurationError, DeadLettersUnavailableError, PipelineError
from pipeline.kafka.dead_letter_reader import read_dead_letters
from pipeline.kafka.dead_letter_sink import TopicSink
from pipeline.kafka.dead_letter_topic import DeadLetterTopicOptions, KafkaDeadLetters
from pipeline.records import Record
from tests.fakes.dead_letters import FakeDeadLetters
from tests.operations_made import PARTITION
from tests.servers.embedded import EmbeddedBrokerProcess

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


Store = FakeDeadLetters | FileDeadLetters | KafkaDeadLetters


def topic_options(broker: EmbeddedBrokerProcess) -> DeadLetterTopicOptions:
    topic = f"letters-{uuid.uuid4().hex[:8]}"
    broker.create_topic(topic, 3)
    return DeadLetterTopicOptions(bootstrap_servers=broker.bootstrap_servers, topic=topic)


@pytest.fixture(params=["fake", "file", "topic"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "fake":
        return FakeDeadLetters()
    if request.param == "file":
        return FileDeadLetters(tmp_path / "dead.jsonl")
    return KafkaDeadLetters(topic_options(request.getfixturevalue("embedded_broker")))


def test_what_was_written_is_safe_after_the_flush_and_reported_once(store: Store) -> None:
    first, second = opened(), opened()
    store.write(entry(), first)
    store.write(entry(), second)
    store.write(entry(), first)
    assert list(store.flush()) == [first, second, first]
    assert list(store.flush()) == []
    store.close()


def test_with_nothing_written_a_flush_does_nothing(store: Store) -> None:
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
        "call": "order/track:order_placed#1[sku-7]",
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


ODD = [
    entry(),
    entry(Record("events", 0, 1)),
    entry(Record("events", 0, 2, b"", b"", (), 0)),
    entry(Record("ev/ents", 0, 3, b"k", b'{"torn', (("cio.topic", b"x"), ("cio.omitted", b"true")), None)),
    entry(Record("events", 0, 4, None, b"v", (("cio.resolution", b"true"),), 5), source=None, status=207),
    entry(source=CallSource("order", CallKind.TRACK, "order_placed", 1, "sku-7"), field="name", attempts=3),
    entry(source=CallSource("order", CallKind.TRACK, None, 0, 7), answer="zu groß"),
    entry(source=CallSource("order", CallKind.DESTROY), answer=""),
]
NOTES: list[DeadLetter | Resolution] = [
    *ODD,
    *(Resolution(each.key, each.first_seen_ms, each.first_seen_ms + 1) for each in ODD),
]


def test_what_was_written_to_a_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    store = FileDeadLetters(path)
    for each in ODD:
        store.write(each, opened())
    store.flush()
    store.close()
    lines = AppendOnlyFile(path, DEAD_LETTER_FILE)
    lines.append(b"".join(resolution_line(note) for note in NOTES if isinstance(note, Resolution)))
    lines.close()
    archive = Archive([path])
    assert [found for _, found in archive.scan()] == NOTES
    archive.close()


def test_what_was_written_to_a_topic_is_read_back_as_it_was(embedded_broker: EmbeddedBrokerProcess) -> None:
    options = topic_options(embedded_broker)
    assert list(read_dead_letters(options)) == []
    sink = TopicSink(lambda: KafkaDeadLetters(options))
    sink.keep(NOTES)
    sink.close()
    found = [each for _, each in read_dead_letters(options)]
    assert sorted(map(repr, found)) == sorted(map(repr, NOTES))


def test_notes_that_a_topic_did_not_take_are_given_again_and_written_once(
    embedded_broker: EmbeddedBrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = topic_options(embedded_broker)
    store = KafkaDeadLetters(options)
    sink = TopicSink(lambda: store)
    with monkeypatch.context() as broken:
        broken.setattr(store, "flush", unavailable)
        with pytest.raises(DeadLettersUnavailableError):
            sink.keep(NOTES[:3])
    sink.keep(NOTES)
    sink.keep(NOTES[:1])
    sink.close()
    found = [each for _, each in read_dead_letters(options)]
    assert sorted(map(repr, found)) == sorted(map(repr, [*NOTES, NOTES[0]]))


def unavailable() -> Sequence[OpenRecord]:
    raise DeadLettersUnavailableError("the brokers are away")


def test_a_topic_that_cannot_be_read_is_named() -> None:
    options = DeadLetterTopicOptions(bootstrap_servers="127.0.0.1:1", topic="absent")
    with pytest.raises(PipelineError, match="cannot read the dead-letter topic absent"):
        list(read_dead_letters(options, ask_timeout_s=0.5))


def write_many(path: Path, name: str) -> None:
    store = FileDeadLetters(path)
    for number in range(200):
        for _ in range(3):
            store.write(entry(Record(name, 0, number, None, b"x" * 3_000)), opened())
        store.flush()
    store.close()


def test_processes_that_write_to_one_file_at_once_tear_no_line_and_lose_none(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    writers = [get_context("spawn").Process(target=write_many, args=(path, name)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    found = [from_line(line) for line in path.read_bytes().splitlines()]
    for name in ("a", "b"):
        assert offsets_of(found, name) == [number for number in range(200) for _ in range(3)]


def offsets_of(found: Sequence[DeadLetter | Resolution], topic: str) -> list[int]:
    return [
        each.record.offset for each in found if isinstance(each, DeadLetter) and each.record.topic == topic
    ]


def test_a_line_that_another_process_tore_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    store = FileDeadLetters(path)
    path.write_bytes(b'{"torn by a crash')
    store.write(entry(), opened())
    store.flush()
    store.close()
    torn, mine = path.read_bytes().splitlines()
    assert torn == b'{"torn by a crash'
    assert from_line(mine) == entry()
