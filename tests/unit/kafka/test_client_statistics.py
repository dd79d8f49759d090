"""What is taken out of the client's statistics."""

from typing import Any

from pipeline.kafka.statistics import client_status
from pipeline.status import ClientStatus


def broker(number: int, state: str = "UP", throttle_ms: int = 0, rtt_us: int | None = None) -> dict[str, Any]:
    rtt = {"avg": rtt_us or 0, "cnt": 0 if rtt_us is None else 7}
    return {"nodeid": number, "state": state, "throttle": {"max": throttle_ms}, "rtt": rtt}


def partition(records: int, size: int) -> dict[str, int]:
    return {"fetchq_cnt": records, "fetchq_size": size}


STATISTICS = {
    "brokers": {
        "kafka-1:9092/1": broker(1, throttle_ms=250),
        "kafka-2:9092/2": broker(2, "CONNECT"),
        "kafka-1:9092/bootstrap": broker(-1),
        "GroupCoordinator": broker(1, rtt_us=3_500),
    },
    "topics": {
        "shop": {"partitions": {"0": partition(10, 1_000), "-1": partition(0, 0)}},
        "billing": {"partitions": {"0": partition(5, 700)}},
    },
}


def test_queues_throttling_brokers_and_the_coordinators_round_trip_are_told() -> None:
    assert client_status(STATISTICS, ClientStatus()) == ClientStatus(
        queued_records=15,
        queued_bytes=1_700,
        brokers_up=1,
        throttled_seconds=0.25,
        coordinator_seconds=0.0035,
    )


def test_without_a_measurement_the_last_round_trip_stays() -> None:
    quiet = {**STATISTICS, "brokers": {"GroupCoordinator": broker(1)}}
    assert client_status(quiet, ClientStatus(coordinator_seconds=0.2)).coordinator_seconds == 0.2


def test_statistics_of_a_client_that_has_just_begun_are_zero() -> None:
    assert client_status({}, ClientStatus()) == ClientStatus()
