"""A sample of topics: their latest records, read without a group and without a commit."""

from collections.abc import Iterable, Mapping
from contextlib import closing

from pipeline.errors import PipelineError
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_lookup import TopicLookup
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.kafka.replay_reader import read_ranges
from pipeline.records import Record, TopicPartition

MOST_BYTES = 64_000_000
"""A sample ends when its records weigh more than this."""


def read_sample(options: KafkaOptions, topic: str, count: int) -> list[Record]:
    """Return about the `count` latest records of a topic, by their time.

    Raises:
        ConfigurationError: there is no such topic, or the client refuses a setting.
        PipelineError: the brokers cannot be reached or refuse, or the topic holds no record.
    """
    records = read_latest(options, [topic], count)
    if not records:
        raise PipelineError(
            f"the topic {topic} at {options.bootstrap_servers} has no records to read; send it some events first,"
            " or use a file of events"
        )
    return sorted(records, key=lambda record: record.timestamp_ms or 0)


def read_latest(options: KafkaOptions, topics: Iterable[str], count: int) -> list[Record]:
    """Return about the `count` latest records of these topics, as evenly from their partitions as they allow.

    Raises:
        ConfigurationError: there is no such topic, or the client refuses a setting.
        PipelineError: the brokers cannot be reached or refuse.
    """
    with TopicLookup(options) as lookup:
        names = [TopicPartition(topic, number) for topic in topics for number in lookup.partitions(topic)]
        ends = {name: lookup.watermarks(name) for name in names}
    records: list[Record] = []
    left = MOST_BYTES
    with closing(read_ranges(options, latest_ranges(ends, count), at_once=100)) as batches:
        while left > 0 and (some := next(batches, None)) is not None:
            records += some
            left -= sum(record.size for record in some)
    return records


def latest_ranges(
    ends: Mapping[TopicPartition, tuple[int, int]], count: int
) -> dict[TopicPartition, ReplayRange]:
    """Divide `count` records over partitions; what a short one does not have, the longer ones give.

    `ends` holds the first offset of each partition and the one after the last. Every partition that has records gives
    one at least.
    """
    ranges = {}
    left = count
    by_length = sorted((high - low, name) for name, (low, high) in ends.items() if high > low)
    for number, (length, name) in enumerate(by_length):
        share = max(1, min(length, left // (len(by_length) - number)))
        high = ends[name][1]
        ranges[name] = ReplayRange(high - share, high)
        left -= share
    return ranges
