"""An answer that says that it is none must not be taken for "nothing there": the partition would begin at its end."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.start import Start, StartPositions
from pipeline.records import TopicPartition

P0 = TopicPartition("events", 0)
NOBODY_LEADS = KafkaError(KafkaError.LEADER_NOT_AVAILABLE)


class Answer(KafkaPartition):
    """What a client returns for one partition; `error` cannot be set on the client's own."""

    def __init__(self, offset: int, error: KafkaError | None = None) -> None:
        super().__init__("events", 0, offset)
        self.failure = error

    @property
    def error(self) -> KafkaError | None:  # type: ignore[override]
        return self.failure


class Brokers:
    """A partition of 100 records, the 40th of which is the first of the time that is asked for."""

    def __init__(self, *, committed: Answer | None = None, found: Answer | None = None) -> None:
        self._committed = committed or Answer(-1001)
        self._found = found or Answer(40)

    def committed(self, *_: Any) -> list[KafkaPartition]:
        return [self._committed]

    def get_watermark_offsets(self, *_: Any) -> tuple[int, int]:
        return 0, 100

    def offsets_for_times(self, *_: Any) -> list[KafkaPartition]:
        return [self._found]


def start(brokers: Brokers) -> Start:
    options = KafkaOptions(
        bootstrap_servers="127.0.0.1:9",
        topics=("events",),
        group_id="g",
        start=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return StartPositions(cast(Consumer, brokers), options, {}).find([P0], {})[P0]


def test_it_begins_at_the_first_record_of_the_time() -> None:
    assert start(Brokers()) == Start(40)


def test_it_begins_at_the_end_where_nothing_is_as_new() -> None:
    assert start(Brokers(found=Answer(-1))) == Start(100)


def test_it_begins_where_the_group_has_committed() -> None:
    assert start(Brokers(committed=Answer(70))) == Start(70, elsewhere=False)


@pytest.mark.parametrize(
    "brokers",
    [Brokers(found=Answer(-1, NOBODY_LEADS)), Brokers(committed=Answer(-1001, NOBODY_LEADS))],
    ids=["the time", "what was committed"],
)
def test_it_does_not_begin_while_the_brokers_cannot_say(brokers: Brokers) -> None:
    with pytest.raises(KafkaException, match="LEADER_NOT_AVAILABLE"):
        start(brokers)
