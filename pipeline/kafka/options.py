"""What a consumer of Kafka is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

PropertyValue = str | bool | int | float
Policy = Literal["fail", "earliest", "latest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """A member of a consumer group.

    `topics` are names, or regular expressions that begin with `^`. `start` is where a partition without a
    committed offset is begun; a time needs a zone. `out_of_range` says what to do when the next offset to
    read is not there any more. `properties` are librdkafka's, by its own names; they may hold secrets and
    stay out of the repr.
    `stuck_after_s` is how long an assigned partition may show no sign of life before it is assigned anew.
    """

    bootstrap_servers: str
    topics: tuple[str, ...]
    group_id: str
    start: Literal["earliest", "latest"] | datetime = "earliest"
    out_of_range: Policy = "fail"
    session_timeout_s: float = 45.0
    max_poll_interval_s: float = 300.0
    queue_max_kilobytes: int = 32_768
    fetch_wait_ms: int = 100
    statistics_interval_s: float = 5.0
    lookup_timeout_s: float = 5.0
    stuck_after_s: float = 30.0
    properties: Mapping[str, PropertyValue] = field(default_factory=dict, repr=False)

    @property
    def incremental(self) -> bool:
        """Whether rebalances leave alone the partitions that stay."""
        strategy = str(self.properties.get("partition.assignment.strategy", "cooperative-sticky"))
        return self.next_generation_protocol or strategy == "cooperative-sticky"

    @property
    def next_generation_protocol(self) -> bool:
        """Whether the brokers share the partitions out (KIP-848)."""
        return self.properties.get("group.protocol") == "consumer"
