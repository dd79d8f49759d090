"""What a record costs from Kafka to the wire: `python -m tests.bench.pipeline`, or `make bench`.

Two workloads of 360-byte events under 50 rules: A, where one record in ten makes a call, and B, where each does. The
topic is filled before the clock starts; the receiver is a process that only frames HTTP. Runs of the pipeline alternate
with runs of a bare loop that does the same work without any guarantee. What counts is CPU time, of the whole process
with librdkafka's threads, so that a busy machine changes little; records a second are told, and depend on the machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.http_receiver import start_receiver
from tests.bench.topic import MAPPING, PARTITIONS, RECORD_BYTES, fill
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.kafka_jars import KafkaUnavailableError
from tests.servers.pipeline import PipelineProcess, wait_until, write_configuration

WORKLOADS = {"A": 0.1, "B": 1.0}
EMBEDDED_BYTES = 4_000_000
"""What a partition of the embedded broker keeps for sure."""
_TICKS = os.sysconf("SC_CLK_TCK")

Broker = ApacheKafka | EmbeddedBrokerProcess


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took. `receiver_cpu_seconds` is the receiver's part."""

    seconds: float
    cpu_seconds: float
    receiver_cpu_seconds: float
    requests: int
    bytes: int
    memory_mb: float


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_memory_mb(pid: int) -> float:
    """Return the most resident memory a process has had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1e3
    raise AssertionError("no VmHWM")


class Bench:
    """One broker, one receiver, one filled topic."""

    def __init__(
        self, broker: str, topic: str, records: int, receiver: subprocess.Popen[str], url: str, api: str
    ) -> None:
        self.records = records
        self._api = api
        self._broker = broker
        self._topic = topic
        self._receiver = receiver
        self._url = url
        self._runs = 0

    def pipeline(self) -> Run:
        """Run the pipeline until every record is settled."""
        self._runs += 1
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            (folder / "bench.yaml").write_text(MAPPING)
            configuration = write_configuration(
                folder,
                bootstrap_servers=self._broker,
                topic=self._topic,
                base_url=self._url.removesuffix("/api/v2/batch"),
                group=f"bench-{self._topic}-{self._runs}",
                mapping={"files": ["bench.yaml"]},
                delivery={"commit_interval_seconds": 5.0, "rate": {"requests_per_second": 100_000}},
                customerio={"api": self._api},
                logs={"level": "info"},
            )
            with PipelineProcess(configuration) as pipeline:
                return self._watch(pipeline)

    def _watch(self, pipeline: PipelineProcess) -> Run:
        pid, receiver = pipeline.process.pid, self._receiver.pid
        pipeline.wait_until(lambda: pipeline.logged("started"), "started")
        cpu_s, receiver_s = cpu_seconds(pid), cpu_seconds(receiver)
        pipeline.wait_until(lambda: pipeline.logged("partitions_assigned"), "assigned")
        started = time.monotonic()
        wait_until(lambda: pipeline.status()["counts"]["settled"] == self.records, "settled", 600, 0.2)
        counts = pipeline.status()["counts"]
        metrics = pipeline.get("/metrics").text
        run = Run(
            time.monotonic() - started,
            cpu_seconds(pid) - cpu_s,
            cpu_seconds(receiver) - receiver_s,
            sum(counts["requests"].values()),
            int(sum_of(metrics, "cio_pipeline_request_bytes_total")),
            peak_memory_mb(pid),
        )
        assert set(counts["requests"]) <= {"delivered"}, counts["requests"]
        assert not sum(counts["dead_letters"].values()), counts["dead_letters"]
        pipeline.stop()
        return run

    def bare_loop(self) -> Run:
        """Run the loop without guarantees over the same records."""
        receiver_s = cpu_seconds(self._receiver.pid)
        arguments = [self._broker, self._topic, str(self.records), self._url]
        command = [sys.executable, "-m", "tests.bench.bare_loop", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        taken = json.loads(done.stdout)
        return Run(receiver_cpu_seconds=cpu_seconds(self._receiver.pid) - receiver_s, **taken)


def sum_of(metrics: str, name: str) -> float:
    """Return the sum of a metric in Prometheus' text format."""
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(name))


def middle(runs: list[Run], records: int) -> dict[str, float]:
    """Return the medians of what is told of runs."""
    return {
        "us": statistics.median(run.cpu_seconds / records * 1e6 for run in runs),
        "least": min(run.cpu_seconds / records * 1e6 for run in runs),
        "most": max(run.cpu_seconds / records * 1e6 for run in runs),
        "receiver_us": statistics.median(run.receiver_cpu_seconds / records * 1e6 for run in runs),
        "receiver_busy": statistics.median(run.receiver_cpu_seconds / run.seconds for run in runs),
        "rate": statistics.median(records / run.seconds for run in runs),
        "requests": statistics.median(run.requests for run in runs),
        "request_bytes": statistics.median(run.bytes / max(1, run.requests) for run in runs),
        "memory_mb": statistics.median(run.memory_mb for run in runs),
    }


def show(name: str, runs: list[Run], records: int) -> float:
    """Print one row; return the CPU microseconds a record."""
    figures = middle(runs, records)
    print(
        "  {name:<10} {us:6.2f} us of CPU a record ({least:.2f} to {most:.2f})  {rate:>8,.0f} records/s "
        " {requests:>6,.0f} requests of {request_bytes:>7,.0f} bytes  {memory_mb:.0f} MB"
        "  receiver: {receiver_us:.2f} us, {receiver_busy:.0%} of a core".format(name=name, **figures),
        flush=True,
    )
    return figures["us"]


@contextmanager
def any_broker(kind: str) -> Iterator[tuple[Broker, str]]:
    """Start Apache Kafka where that is possible and wanted, else the embedded broker."""
    if kind != "embedded":
        try:
            with ApacheKafka(heap_mb=512) as kafka:
                yield kafka, "Apache Kafka"
                return
        except KafkaUnavailableError as error:
            if kind == "apache":
                raise
            print(f"no Apache Kafka: {error}", file=sys.stderr)
    with EmbeddedBrokerProcess() as embedded:
        yield embedded, "the embedded broker"


def measure(broker: Broker, workload: str, records: int, rounds: int, api: str) -> None:
    """Fill a topic, run both in turn, print what it took; with v1 there is nothing to compare with."""
    topic = f"bench-{workload.lower()}"
    broker.create_topic(topic, PARTITIONS)
    fill(broker.bootstrap_servers, topic, records, WORKLOADS[workload])
    receiver, url = start_receiver()
    try:
        bench = Bench(broker.bootstrap_servers, topic, records, receiver, url, api)
        ours, bare = [], []
        for number in range(rounds):
            ours.append(bench.pipeline())
            told = f"  round {number + 1}: {ours[-1].cpu_seconds / records * 1e6:.2f} us"
            if api == "v2":
                bare.append(bench.bare_loop())
                told += f", bare {bare[-1].cpu_seconds / records * 1e6:.2f} us"
            print(told, file=sys.stderr)
    finally:
        receiver.terminate()
        receiver.wait()
    print(
        f"workload {workload}: {WORKLOADS[workload]:.0%} of {records:,} records make a call, {rounds} rounds"
    )
    us = show("pipeline", ours, records)
    if bare:
        print(f"  ratio      {us / show('bare loop', bare, records):6.2f}")


def main() -> None:
    """Measure what is asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--records", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--workload", choices=sorted(WORKLOADS), action="append")
    options.add_argument("--api", choices=("v2", "v1"), default="v2")
    options.add_argument("--broker", choices=("auto", "apache", "embedded"), default="auto")
    given = options.parse_args()
    with any_broker(given.broker) as (broker, name):
        records = given.records
        if isinstance(broker, EmbeddedBrokerProcess):
            records = min(records, PARTITIONS * EMBEDDED_BYTES // (RECORD_BYTES + 100))
        print(f"{name}, {PARTITIONS} partitions, {records:,} records of {RECORD_BYTES} bytes")
        for workload in given.workload or sorted(WORKLOADS):
            measure(broker, workload, records, given.rounds, given.api)


if __name__ == "__main__":
    main()
