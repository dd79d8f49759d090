"""What one admin address makes of what several workers say."""

from prometheus_client.parser import text_string_to_metric_families

from pipeline.cli.workers_sums import MetricSums, status_of_all
from pipeline.operations.metrics import Metrics
from pipeline.operations.status_document import status_document
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.tally import Tally


def said(records: int, *, ready: bool = True, partition: int = 0) -> str:
    tally = Tally()
    tally.records[TopicPartition("t", partition)] = records
    places = (PartitionStatus(TopicPartition("t", partition), 5, 5, 8),)
    return Metrics(tally, lambda: EngineStatus(ready, partitions=places, open_records=2)).render().decode()


def values(text: bytes) -> dict[str, float]:
    families = text_string_to_metric_families(text.decode())
    summed: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            summed[sample.name] = summed.get(sample.name, 0) + sample.value
    return summed


def test_counts_add_up_and_states_do_not() -> None:
    sums = MetricSums()
    sums.note((1, 1), said(10))
    sums.note((2, 1), said(5, ready=False, partition=1))
    found = values(sums.render([(1, 1), (2, 1)]))
    assert found["cio_pipeline_records_total"] == 15
    assert found["cio_pipeline_open_records"] == 4
    assert found["cio_pipeline_partition_lag_records"] == 6
    assert found["cio_pipeline_ready"] == 0
    assert found["cio_pipeline_build_info"] == 1


def test_what_a_process_had_counted_stays_and_what_it_held_goes_with_it() -> None:
    sums = MetricSums()
    sums.note((1, 1), said(10))
    sums.render([(1, 1)])
    sums.note((1, 2), said(3))
    found = values(sums.render([(1, 2)]))
    assert found["cio_pipeline_records_total"] == 13
    assert found["cio_pipeline_open_records"] == 2


def test_histograms_add_up_and_outlive_their_process() -> None:
    def measured(*seconds: float) -> str:
        tally = Tally()
        for each in seconds:
            tally.measures.request_seconds.observe(each)
        return Metrics(tally, lambda: EngineStatus(ready=True)).render().decode()

    sums = MetricSums()
    sums.note((1, 1), measured(0.2, 0.2))
    sums.note((2, 1), measured(4.0))
    sums.render([(1, 1), (2, 1)])
    sums.note((2, 2), measured(7.0))
    text = sums.render([(1, 1), (2, 2)]).decode()
    assert 'cio_pipeline_request_duration_seconds_bucket{le="0.25"} 2.0' in text
    assert 'cio_pipeline_request_duration_seconds_bucket{le="5.0"} 3.0' in text
    assert "cio_pipeline_request_duration_seconds_count 4.0" in text
    assert "cio_pipeline_request_duration_seconds_sum 11.4" in text


def test_the_greatest_delay_of_several_workers_counts() -> None:
    found = status_of_all(
        {
            1: {**document(EngineStatus(True)), "latency": {"request": {"median": 0.1, "p99": None}}},
            2: {**document(EngineStatus(True)), "latency": {"request": {"median": 0.3, "p99": 2.0}}},
        }
    )
    assert found["latency"] == {"request": {"median": 0.3, "p99": 2.0}}
    assert found["histograms"]["request_seconds"]["buckets"]["Infinity"] == 0


def test_a_partition_that_moves_is_counted_once() -> None:
    sums = MetricSums()
    sums.note((1, 1), said(1))
    sums.note((2, 1), said(1))
    assert values(sums.render([(1, 1), (2, 1)]))["cio_pipeline_partition_lag_records"] == 3


def test_every_metric_of_a_worker_is_in_the_sum() -> None:
    sums = MetricSums()
    text = said(1)
    sums.note((1, 1), text)
    assert values(sums.render([(1, 1)])) == values(text.encode())


def document(status: EngineStatus, records: int = 0) -> dict[str, object]:
    tally = Tally()
    tally.records[TopicPartition("t", 0)] = records
    return status_document(tally, status)


def test_a_spare_worker_does_not_make_the_sum_unready() -> None:
    busy = EngineStatus(True, partitions=(PartitionStatus(TopicPartition("t", 1), 1, 1, 1),), open_records=3)
    spare = EngineStatus(False, reasons=("no partition is assigned",))
    found = status_of_all({1: document(busy, 7), 2: document(spare, 5)})
    assert found["ready"]
    assert found["open_records"] == 3
    assert found["counts"]["records"] == 12
    nobody = status_of_all({1: document(spare), 2: document(spare)})
    assert nobody["reasons"] == ["worker 1: no partition is assigned", "worker 2: no partition is assigned"]


def test_a_worker_that_does_not_answer_makes_it_unready() -> None:
    found = status_of_all({1: document(EngineStatus(True)), 2: None})
    assert not found["ready"]
    assert found["reasons"] == ["worker 2: it does not answer (yet)"]
