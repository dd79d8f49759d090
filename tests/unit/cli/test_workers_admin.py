"""One admin address for several workers, over real sockets."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from pipeline.cli.workers_admin import WorkersMonitor
from pipeline.operations.admin import AdminServer, PipelineMonitor
from pipeline.operations.admin_access import Access, AdminToken
from pipeline.operations.admin_application import admin_application
from pipeline.operations.mapping_state import MappingState
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.tally import Tally
from tests.servers.hostile import HostileServer, answer, answering

TOKEN = "a-token-that-is-long-enough"


@dataclass
class Process:
    """A worker as its supervisor knows it."""

    number: int
    admin: str | None
    life: int = 1
    restarts: int = 0
    pid: int | None = 1


def monitor(number: int) -> PipelineMonitor:
    """What a worker says of itself."""
    name = TopicPartition("shop", number)
    status = EngineStatus(ready=True, partitions=(PartitionStatus(name, committed=5, end=8),))
    mapping = MappingState(4, now=lambda: float(number))
    mapping.loaded(4)
    return PipelineMonitor(Tally(records=Counter({name: 10})), lambda: status, mapping)


@pytest.fixture
def workers() -> Iterator[list[Process]]:
    """Two workers whose admin servers ask for the token, and one that has not started yet."""
    with ExitStack() as closing:
        addresses = []
        for number in range(2):
            access = Access(token=AdminToken(lambda: TOKEN))
            server = AdminServer("127.0.0.1:0", admin_application(monitor(number), access))
            server.start()
            closing.callback(server.stop)
            addresses.append(server.address)
        yield [Process(1, addresses[0]), Process(2, addresses[1]), Process(3, None, pid=None)]


def test_it_shows_the_workers_token_and_adds_up_what_they_say(workers: list[Process]) -> None:
    status = WorkersMonitor(workers, lambda: TOKEN).status()
    assert status["counts"]["records"] == 20
    assert [partition["lag"] for partition in status["partitions"]] == [3, 3]
    assert status["reasons"] == ["worker 3: it does not answer (yet)"]


def test_rules_and_times_do_not_add_up(workers: list[Process]) -> None:
    status = WorkersMonitor(workers, lambda: TOKEN).status()
    assert status["mapping"]["rules"] == 4
    assert status["mapping"]["last_reload"]["at"] == 1.0


def test_with_another_token_the_workers_do_not_answer(workers: list[Process]) -> None:
    status = WorkersMonitor(workers, lambda: "another-token-long-enough").status()
    assert len(status["reasons"]) == 3


def test_a_worker_that_ends_within_its_answer_does_not_answer_yet() -> None:
    with HostileServer(answering(answer(b"{", "200 OK", "connection: close", length=100))) as server:
        workers = [Process(1, server.base_url.removeprefix("http://"))]
        assert WorkersMonitor(workers).status()["reasons"] == ["worker 1: it does not answer (yet)"]
