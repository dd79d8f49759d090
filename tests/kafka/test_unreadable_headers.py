"""A header whose name is not UTF-8 costs only its own record, wherever records are read."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from pipeline.kafka.dead_letter_reader import Strange, read_dead_letters
from pipeline.kafka.dead_letter_topic import DeadLetterTopicOptions
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.kafka.replay_reader import read_ranges
from pipeline.records import UNREADABLE_HEADERS, TopicPartition
from tests.contract.source_driving import Member, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.odd_headers import write_with_header
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess

GOOD = (("name", b"v"),)
MAPPING = """
version: 1
rules:
  - name: seen
    track: {id: ann, name: seen, attributes: {number: '${number}'}}
"""


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def written(broker: EmbeddedBrokerProcess, *, before: int) -> OnBroker:
    """Good records, one with an unreadable header, and a good one again."""
    kafka = OnBroker(broker, 1)
    kafka.write_many(0, [b'{"number": 1}'] * before, GOOD)
    write_with_header(broker.bootstrap_servers, kafka.topic, b"\xff\xfe", b'{"number": 2}')
    kafka.write(0, b'{"number": 3}', headers=GOOD)
    return kafka


# The interpreter reads differently when it has read many: it no longer checks what a method leaves behind.
@pytest.mark.parametrize("before", [1, 3_000])
def test_the_record_is_read_without_its_headers_and_the_next_with_them(
    embedded_broker: EmbeddedBrokerProcess, before: int
) -> None:
    member = Member(written(embedded_broker, before=before).source())
    poll_until(lambda: len(member.records) == before + 2, member, max_records=1_000)
    member.source.close()
    assert [record.headers for record in member.records] == [GOOD] * before + [UNREADABLE_HEADERS, GOOD]
    assert member.values()[-2:] == [b'{"number": 2}', b'{"number": 3}']


def test_a_range_is_read_past_it(embedded_broker: EmbeddedBrokerProcess) -> None:
    kafka = written(embedded_broker, before=3_000)
    options = KafkaOptions(
        bootstrap_servers=embedded_broker.bootstrap_servers, topics=(kafka.topic,), group_id="g"
    )
    ranges = {TopicPartition(kafka.topic, 0): ReplayRange(0, 3_002)}
    records = [record for some in read_ranges(options, ranges) for record in some]
    assert [record.headers for record in records[-3:]] == [GOOD, UNREADABLE_HEADERS, GOOD]


def test_it_is_no_dead_letter(embedded_broker: EmbeddedBrokerProcess) -> None:
    kafka = written(embedded_broker, before=1)
    options = DeadLetterTopicOptions(bootstrap_servers=embedded_broker.bootstrap_servers, topic=kafka.topic)
    assert [type(found) for _, found in read_dead_letters(options)] == [Strange] * 3


@pytest.mark.full
def test_it_becomes_a_dead_letter_and_the_pipeline_goes_on(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    kafka = written(embedded_broker, before=1)
    (tmp_path / "rules.yaml").write_text(MAPPING)
    configuration = write_configuration(
        tmp_path,
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic=kafka.topic,
        group=kafka.group,
        base_url=sandbox.base_url,
        mapping={"files": ["rules.yaml"]},
    )
    with PipelineProcess(configuration) as pipeline:
        pipeline.wait_until(lambda: kafka.committed(0) == 3, "committed")
        assert pipeline.stop() == 143
    assert [arrival["data"]["number"] for arrival in sandbox.arrivals()] == [1, 3]
    [letter] = map(orjson.loads, (tmp_path / "dead-letters.jsonl").read_bytes().splitlines())
    assert letter["reason"] == "undecodable"
    assert letter["headers"] == [list(header) for header in UNREADABLE_HEADERS]
    assert letter["value"] == '{"number": 2}'
