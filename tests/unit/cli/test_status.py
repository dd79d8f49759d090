"""`cio-pipeline status` against a real admin server, against real Kafka offsets, and against nobody."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from starlette.applications import Starlette

from pipeline.calls import CallKind, Reason
from pipeline.cli.entry import run_command_line
from pipeline.errors import ExitStatus
from pipeline.operations.admin import AdminServer, PipelineMonitor
from pipeline.operations.admin_access import Access, AdminToken
from pipeline.operations.admin_application import admin_application
from pipeline.operations.admin_guard import Guard
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.tally import Tally
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.hostile import HostileServer, answering
from tests.servers.ports import free_ports

TOKEN = "a-token-that-is-long-enough"
TALLY = Tally(
    records=Counter({TopicPartition("shop", 0): 1_200}),
    delivered=Counter({CallKind.TRACK: 1_100}),
    dead_letters=Counter({Reason.TOO_LARGE: 3}),
    retries=Counter({"throttled": 4}),
    rebalances=Counter({"assigned": 1}),
    unmatched=Counter({"ping": 2, "cart.updated": 7}),
)
STATUS = EngineStatus(
    ready=True,
    partitions=(
        PartitionStatus(
            TopicPartition("shop", 0),
            position=1_200,
            committed=1_150,
            end=2_000,
            lag_seconds=95.0,
            retention_left_seconds=3 * 86_400.0,
        ),
        PartitionStatus(TopicPartition("shop", 1)),
    ),
    batches_in_flight=2,
    blocked_lanes=3,
    requests_per_second_limit=400.0,
    requests_in_flight_limit=8,
)


def measure(tally: Tally) -> None:
    """Let something be measured in the last minute."""
    tally.measures.since_written.observe(45.0)
    tally.measures.items_fill.observe(0.5)
    tally.measures.bytes_fill.observe(0.2)


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for name in [name for name in os.environ if name.startswith("CIO_PIPELINE")]:
        monkeypatch.delenv(name)


def serve(status: EngineStatus) -> Iterator[str]:
    monitor = PipelineMonitor(TALLY, lambda: status)
    measure(TALLY)
    server = AdminServer("127.0.0.1:0", admin_application(monitor))
    server.start()
    yield server.address
    server.stop()


@pytest.fixture
def ready() -> Iterator[str]:
    yield from serve(STATUS)


@pytest.fixture
def not_ready() -> Iterator[str]:
    yield from serve(EngineStatus(ready=False, reasons=("no partition is assigned", "delivery holds")))


def write_configuration(folder: Path, admin: str, bootstrap_servers: str = "127.0.0.1:1") -> Path:
    path = folder / "pipeline.yaml"
    path.write_text(
        f"kafka: {{bootstrap_servers: '{bootstrap_servers}', topics: status-shop, group_id: status-group}}\n"
        f"customerio: {{site_id: s, api_key: k}}\nadmin: {{listen: '{admin}'}}\n"
    )
    return path


def test_a_ready_pipeline_is_shown_and_the_status_is_0(
    ready: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["status", "-c", str(write_configuration(tmp_path, ready))]) == ExitStatus.DONE
    output = capsys.readouterr().out
    lines = [line.split() for line in output.splitlines()]
    assert lines[0][0] == "ready"
    assert "read 1,200" in output
    assert "dead letters: too_large 3" in output
    assert ["shop", "0", "1,150", "2,000", "850", "95", "s", "3", "d"] in lines
    assert ["shop", "1", "-", "-", "-", "-", "-"] in lines
    assert ["total", "850", "95", "s", "3", "d"] in lines
    assert "requests a second 400  in flight 2 of 8  blocked lanes 3  retries 4  rebalances 1" in output
    assert "confirmed since written 45 s / 60 s" in output
    assert "requests are filled: items 50%, bytes 20%" in output
    assert "unmatched: cart.updated 7, ping 2" in output


def test_it_fits_a_narrow_terminal(
    ready: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    run_command_line(["status", "--admin", ready])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 60


def test_a_pipeline_that_is_not_ready_says_why_and_the_status_is_1(
    not_ready: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["status", "--admin", not_ready]) == ExitStatus.FAILED
    assert capsys.readouterr().out.splitlines()[:3] == [
        "not ready",
        "  no partition is assigned",
        "  delivery holds",
    ]


def test_json_is_what_the_pipeline_says(ready: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["status", "--admin", ready, "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["running"] is True
    assert document["partitions"][0]["lag"] == 850


def test_when_no_pipeline_runs_kafka_tells_how_far_the_group_is(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded_broker.create_topic("status-shop", 2)
    producer = Producer({"bootstrap.servers": embedded_broker.bootstrap_servers})
    for number in range(10):
        an_hour_ago_ms = round((time.time() - 3_600) * 1000)
        producer.produce("status-shop", value=b"{}", partition=number % 2, timestamp=an_hour_ago_ms)
    producer.flush(10)
    member = Consumer({"bootstrap.servers": embedded_broker.bootstrap_servers, "group.id": "status-group"})
    member.commit(offsets=[KafkaPartition("status-shop", 0, 4)], asynchronous=False)
    member.close()
    (port,) = free_ports(1)
    path = write_configuration(tmp_path, f"127.0.0.1:{port}", embedded_broker.bootstrap_servers)
    assert run_command_line(["status", "-c", str(path), "--json"]) == ExitStatus.FAILED
    document = json.loads(capsys.readouterr().out)
    late = document["partitions"][0]["lag_seconds"]
    assert document == {
        "running": False,
        "admin": f"127.0.0.1:{port}",
        "group": "status-group",
        "partitions": [
            {
                "topic": "status-shop",
                "partition": 0,
                "committed": 4,
                "end": 5,
                "lag": 1,
                "lag_seconds": late,
                "retention_left_seconds": None,
            },
            {
                "topic": "status-shop",
                "partition": 1,
                "committed": None,
                "end": 5,
                "lag": 5,
                "lag_seconds": None,
                "retention_left_seconds": None,
            },
        ],
    }
    assert 3_600 <= late < 7_200, "the fifth record is an hour old"
    assert run_command_line(["status", "-c", str(path)]) == ExitStatus.FAILED
    output = capsys.readouterr().out
    assert f"no pipeline runs at 127.0.0.1:{port}; from Kafka:" in output
    assert ["status-shop", "1", "-", "5", "5", "-", "-"] in [line.split() for line in output.splitlines()]
    assert ["status-shop", "0", "4", "5", "1", "60", "min", "-"] in [
        line.split() for line in output.splitlines()
    ]


@pytest.fixture
def guarded() -> Iterator[str]:
    """A pipeline whose page asks for a token."""
    monitor = PipelineMonitor(TALLY, lambda: STATUS)
    server = AdminServer("127.0.0.1:0", admin_application(monitor, Access(token=AdminToken(lambda: TOKEN))))
    server.start()
    yield server.address
    server.stop()


def test_the_token_comes_from_the_configuration_or_with_an_address_from_the_environment(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_configuration(tmp_path, guarded)
    path.write_text(path.read_text().replace("listen:", f"token: {TOKEN}, listen:"))
    assert run_command_line(["status", "-c", str(path)]) == ExitStatus.DONE
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("CIO_PIPELINE__ADMIN__TOKEN_FILE", str(tmp_path / "token"))
    assert run_command_line(["status", "--admin", guarded]) == ExitStatus.DONE
    assert TOKEN not in "".join(capsys.readouterr())


def test_without_the_token_it_says_what_to_set(
    guarded: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run_command_line(["status", "-c", str(write_configuration(tmp_path, guarded))])
    assert status == ExitStatus.USAGE
    assert "asks for a token; set admin.token" in capsys.readouterr().err


def test_another_program_at_the_address_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = AdminServer("127.0.0.1:0", Guard(Starlette(), Access(), close=lambda: None))
    server.start()
    try:
        assert run_command_line(["status", "--admin", server.address]) == ExitStatus.USAGE
    finally:
        server.stop()
    assert f"{server.address} answers, but is no cio-pipeline" in capsys.readouterr().err


def test_what_speaks_no_http_at_the_address_is_no_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    with HostileServer(answering(b"not HTTP\r\n", stay=True)) as server:
        address = server.base_url.removeprefix("http://")
        assert run_command_line(["status", "--admin", address]) == ExitStatus.USAGE
    assert f"{address} answers, but is no cio-pipeline" in capsys.readouterr().err


def test_watching_and_json_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["status", "--watch", "--json"]) == ExitStatus.USAGE
    assert "choose one" in capsys.readouterr().err
