"""`run --workers N` with real processes: they share the work, come back when killed, and stop together."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.worker import Worker
from pipeline.cli.workers import Supervisor
from pipeline.kafka.progress import group_progress
from tests.chaos.test_killed_pipeline import check_arrivals, check_dead_letters
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, wait_until, write_configuration
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import expectations, write_shop

PARTITIONS = 4
_topics = count(1)


class Workers(PipelineProcess):
    """A supervisor and its workers."""

    def __init__(self, configuration: Path, number: int) -> None:
        super().__init__(configuration, "--workers", str(number))

    def logged_by(self, worker: int | None, event: str) -> list[dict[str, Any]]:
        """Lines of one worker, of the supervisor where it is None."""
        return [line for line in self.logs if line.get("worker") == worker and line["event"] == event]

    def has_started(self, worker: int, times: int) -> bool:
        return len(self.logged_by(worker, "started")) >= times

    @property
    def admin(self) -> str:
        self.wait_until(lambda: bool(self.logged_by(None, "started")), "started", 30)
        return f"http://{self.logged_by(None, 'started')[0]['admin']}"

    def processes(self) -> list[int]:
        return [worker["process"] for worker in self.status()["workers"] if worker["process"] is not None]

    def metric(self, name: str, labels: str = "") -> float:
        """Return a metric's value, all its labels added up; `labels` is a part of the line that must be there."""
        lines = [
            line
            for line in self.get("/metrics").text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines if labels in line)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def is_drained(broker: EmbeddedBrokerProcess, topic: str) -> bool:
    progress = group_progress(broker.bootstrap_servers, "test-group", topic)
    return all(each.committed == each.end for each in progress)


@pytest.fixture
def topic(embedded_broker: EmbeddedBrokerProcess) -> str:
    topic = f"workers-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    return topic


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def configured(
    folder: Path, broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, topic: str, **more: Any
) -> Path:
    return write_configuration(
        folder, bootstrap_servers=broker.bootstrap_servers, topic=topic, base_url=sandbox.base_url, **more
    )


def test_a_worker_that_is_killed_comes_back_and_nothing_is_lost(
    embedded_broker: EmbeddedBrokerProcess, topic: str, tmp_path: Path
) -> None:
    expected = expectations(
        write_shop(embedded_broker.bootstrap_servers, topic, 2_000, people=200, partitions=PARTITIONS)
    )
    with (
        SandboxProcess() as sandbox,
        Workers(configured(tmp_path, embedded_broker, sandbox, topic), 2) as workers,
    ):
        sandbox.set_fault("latency", seconds=0.05)
        workers.wait_until(lambda: len(sandbox.event_ids()) > 100, "some events delivered", 120)
        first, second = workers.processes()
        os.kill(first, signal.SIGKILL)
        workers.wait_until(lambda: len(workers.logged_by(1, "started")) == 2, "the killed worker back", 60)
        sandbox.clear_faults()
        workers.wait_until(lambda: is_drained(embedded_broker, topic), "drained", 120)
        workers.wait_until(workers.is_ready, "ready", 60)

        status = workers.status()
        assert status["ready"]
        assert [(worker["worker"], worker["restarts"]) for worker in status["workers"]] == [(1, 1), (2, 0)]
        assert second in workers.processes()
        assert [each["partition"] for each in status["partitions"]] == list(range(PARTITIONS))
        assert len({line["worker"] for line in workers.logs if "worker" in line}) == 2

        assert workers.stop() == 128 + signal.SIGTERM
        assert workers.logged_by(1, "stopped")
        assert workers.logged_by(2, "stopped")
        assert workers.logged_by(None, "stopped")[0]["status"] == 143
        assert not is_alive(second)
        check_arrivals(sandbox, expected)
        check_dead_letters(tmp_path / "dead-letters.jsonl", expected)


@pytest.mark.full
def test_one_admin_address_adds_up_what_the_workers_counted(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, topic: str, tmp_path: Path
) -> None:
    written = len(
        write_shop(embedded_broker.bootstrap_servers, topic, 500, people=100, partitions=PARTITIONS)
    )
    with Workers(configured(tmp_path, embedded_broker, sandbox, topic), 2) as workers:
        workers.wait_until(lambda: is_drained(embedded_broker, topic), "drained", 120)
        workers.wait_until(
            lambda: workers.metric("cio_pipeline_records_settled_total") >= written, "all counted as settled"
        )
        assert workers.metric("cio_pipeline_build_info") == 1
        assert workers.get("/healthz").status_code == 200
        before = workers.metric("cio_pipeline_records_settled_total")
        assert workers.status()["counts"]["settled"] == before
        os.kill(workers.processes()[0], signal.SIGKILL)
        workers.wait_until(lambda: len(workers.logged_by(1, "started")) == 2, "back", 60)
        after = workers.metric("cio_pipeline_records_settled_total")
        assert after >= before, "a counter never goes back, though a process that counted is gone"
        assert workers.stop() == 143


@pytest.mark.full
def test_an_end_that_a_restart_does_not_mend_stops_all_with_that_status(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Workers(configured(tmp_path, embedded_broker, sandbox, "no-such-topic"), 2) as workers:
        assert workers.process.wait(60) == 2
        assert all(
            line["then"] == "all are stopped" for line in workers.logs if line["event"] == "worker_ended"
        )
        assert "no-such-topic does not exist" in workers.output


@pytest.mark.full
def test_ctrl_c_reaches_the_workers_once_and_they_finish(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, topic: str, tmp_path: Path
) -> None:
    with Workers(configured(tmp_path, embedded_broker, sandbox, topic), 2) as workers:
        workers.wait_until(workers.is_ready, "ready")
        assert workers.stop(signal.SIGINT) == 130
        for worker in (1, 2):
            assert workers.logged_by(worker, "stopped")


@pytest.mark.full
def test_workers_do_not_outlive_a_supervisor_that_is_killed(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, topic: str, tmp_path: Path
) -> None:
    with Workers(configured(tmp_path, embedded_broker, sandbox, topic), 2) as workers:
        workers.wait_until(workers.is_ready, "ready")
        processes = workers.processes()
        assert len(processes) == 2
        workers.kill()
        wait_until(lambda: not any(is_alive(process) for process in processes), "the workers ended too")


@pytest.mark.full
def test_each_restart_in_a_row_waits_longer(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, topic: str, tmp_path: Path
) -> None:
    configuration = configured(tmp_path, embedded_broker, sandbox, topic)
    with Workers(configuration, 2) as workers:
        workers.wait_until(workers.is_ready, "ready")
        for restart in range(1, 4):
            process = workers.status()["workers"][0]["process"]
            os.kill(process, signal.SIGKILL)
            workers.wait_until(partial(workers.has_started, 1, restart + 1), f"restart {restart}")
        waits = [line["then"] for line in workers.logs if line["event"] == "worker_ended"]
        assert waits == ["started again in 0.5 s", "started again in 1 s", "started again in 2 s"]
        assert workers.stop() == 143


@pytest.mark.full
def test_the_status_command_reads_the_sum(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, topic: str, tmp_path: Path
) -> None:
    with Workers(configured(tmp_path, embedded_broker, sandbox, topic), 2) as workers:
        workers.wait_until(workers.is_ready, "ready")
        address = workers.admin.removeprefix("http://")
        command = [sys.executable, "-m", "pipeline", "status", "--admin", address, "--json"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        assert json.loads(done.stdout)["running"]

        def partitions_told() -> int:
            done = subprocess.run(command, capture_output=True, timeout=60, check=True)
            return len(json.loads(done.stdout)["partitions"])

        workers.wait_until(lambda: partitions_told() == PARTITIONS, "every partition told of")
        assert workers.stop() == 143


def test_workers_that_never_get_going_are_given_up() -> None:
    told = {"PATH": os.environ["PATH"]}
    workers = [
        Worker(number, [sys.executable, "-c", "raise SystemExit(1)"], told, "json") for number in (1, 2)
    ]
    assert Supervisor(workers, first_backoff_s=0.01, max_restarts=3).run() == 1
    assert max(worker.restarts for worker in workers) == 3
    assert not any(worker.is_running for worker in workers)
