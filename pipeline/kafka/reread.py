"""Reading a part of a partition again, beside the consumer group."""

from collections.abc import Callable, Iterator, Sequence

from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_lookup import TopicLookup
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.kafka.replay_reader import read_ranges
from pipeline.records import Record, TopicPartition


def reread(
    options: KafkaOptions, partition: TopicPartition, start: int | None, end: int, stop: Callable[[], bool]
) -> Iterator[Sequence[Record]]:
    """Yield the records from `start`, or from the first that is there, to before `end`, until `stop` says so.

    Raises:
        PipelineError: the brokers cannot be reached or refuse, or records were deleted meanwhile.
    """
    with TopicLookup(options) as lookup:
        first, _ = lookup.watermarks(partition)
    begin = max(first, start or 0)
    if begin < end:
        yield from read_ranges(options, {partition: ReplayRange(begin, end)}, stop=stop)
