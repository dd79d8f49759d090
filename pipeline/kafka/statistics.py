"""What matters of librdkafka's statistics (its STATISTICS.md names every field)."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.status import ClientStatus

_COORDINATOR = "GroupCoordinator"


def client_status(statistics: Mapping[str, Any], before: ClientStatus) -> ClientStatus:
    """Return how the client is doing; what the last interval did not measure stays as it was `before`."""
    brokers = statistics.get("brokers", {})
    queued = [
        partition
        for topic in statistics.get("topics", {}).values()
        for partition in topic.get("partitions", {}).values()
    ]
    coordinator = brokers.get(_COORDINATOR, {}).get("rtt", {})
    return ClientStatus(
        queued_records=_sum(partition.get("fetchq_cnt", 0) for partition in queued),
        queued_bytes=_sum(partition.get("fetchq_size", 0) for partition in queued),
        brokers_up=len(
            {each.get("nodeid", -1) for each in brokers.values() if each.get("state") == "UP"} - {-1}
        ),
        throttled_seconds=max(
            (broker.get("throttle", {}).get("max", 0) / 1_000 for broker in brokers.values()), default=0.0
        ),
        coordinator_seconds=(
            coordinator["avg"] / 1_000_000 if coordinator.get("cnt") else before.coordinator_seconds
        ),
    )


def _sum(values: Iterable[int]) -> int:
    return sum(max(0, value) for value in values)
