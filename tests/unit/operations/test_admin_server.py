"""The admin server over real sockets: what each address answers, and what happens when it cannot listen."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pipeline import __version__
from pipeline.errors import ConfigurationError
from pipeline.operations.admin import AdminServer, PipelineMonitor
from pipeline.operations.admin_application import admin_application
from pipeline.operations.helper_answers import answered
from pipeline.operations.helper_process import HelperProcess
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.tally import Tally
from tests.servers.pipeline import wait_until

PROJECT = Path(__file__).parents[3]
READY = EngineStatus(
    ready=True, partitions=(PartitionStatus(TopicPartition("shop", 0), position=5, committed=4, end=9),)
)


@contextmanager
def served(status: EngineStatus = READY, tally: Tally | None = None) -> Iterator[str]:
    server = AdminServer("127.0.0.1:0", admin_application(PipelineMonitor(tally or Tally(), lambda: status)))
    server.start()
    try:
        yield f"http://{server.address}"
    finally:
        server.stop()


def get(url: str, timeout_s: float = 10) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers["content-type"], answer.read().decode()


def test_metrics_are_served_in_prometheus_format() -> None:
    with served() as url:
        status, content_type, body = get(f"{url}/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    assert f'cio_pipeline_build_info{{version="{__version__}"}} 1.0' in body


def test_the_process_is_healthy_while_it_answers() -> None:
    with served(EngineStatus(ready=False, reasons=("stopped",))) as url:
        assert get(f"{url}/healthz")[0] == 200


def test_ready_is_200_and_not_ready_is_503_with_every_reason() -> None:
    with served() as url:
        assert get(f"{url}/readyz")[0] == 200
    reasons = ("no partition is assigned", "delivery holds: the credentials are refused")
    with served(EngineStatus(ready=False, reasons=reasons)) as url:
        status, _, body = get(f"{url}/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "reasons": list(reasons)}


def test_the_status_tells_everything_as_json() -> None:
    tally = Tally()
    tally.records[TopicPartition("shop", 0)] = 5
    tally.skipped["unmatched"] = 2
    with served(tally=tally) as url:
        document = json.loads(get(f"{url}/api/status")[2])
    assert document["ready"] is True
    assert document["partitions"] == [
        {
            "topic": "shop",
            "partition": 0,
            "position": 5,
            "settled": None,
            "committed": 4,
            "end": 9,
            "lag": 5,
            "lag_seconds": None,
            "retention_left_seconds": None,
        }
    ]
    assert document["counts"]["records"] == 5
    assert document["counts"]["skipped"] == {"unmatched": 2}


def test_an_unknown_address_is_404() -> None:
    with served() as url:
        assert get(f"{url}/nothing")[0] == 404


def test_a_port_in_use_is_a_clear_sentence_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        server = AdminServer(listen, admin_application(PipelineMonitor(Tally(), lambda: READY)))
        with pytest.raises(ConfigurationError, match=f"admin.listen: {listen} is in use by another program"):
            server.start()
        server.stop()
    # Fewer, when a thread of an earlier test has ended meanwhile.
    assert threading.active_count() <= before


def test_an_address_that_is_not_ours_is_a_clear_sentence() -> None:
    server = AdminServer("192.0.2.1:9464", admin_application(PipelineMonitor(Tally(), lambda: READY)))
    with pytest.raises(ConfigurationError, match=r"admin\.listen: cannot listen on 192\.0\.2\.1:9464: "):
        server.start()


def test_after_stop_nothing_answers_and_no_thread_is_left() -> None:
    before = threading.active_count()
    with served() as url:
        get(f"{url}/healthz")
    with pytest.raises(urllib.error.URLError):
        get(f"{url}/healthz")
    # The threads that answered end a moment after their loop.
    wait_until(lambda: threading.active_count() <= before, "every thread ended")


def test_the_same_address_can_be_served_again_at_once() -> None:
    with served() as url:
        get(f"{url}/healthz")
    again = AdminServer(
        url.removeprefix("http://"), admin_application(PipelineMonitor(Tally(), lambda: READY))
    )
    again.start()
    again.stop()


class Slow:
    """A view that is asked for something that takes for ever."""

    name = "slow"

    def __init__(self) -> None:
        self._helper = HelperProcess("tests.servers.helper_child", environment={"PYTHONPATH": str(PROJECT)})
        self.begun = threading.Event()

    def routes(self) -> list[BaseRoute]:
        return [Route("/api/slow", self.ask)]

    def ask(self, _: Request) -> Response:
        self._helper.ask({"do": "echo"}, deadline_s=60)
        self.begun.set()
        return answered(self._helper, {"do": "sleep", "seconds": 600}, deadline_s=600)

    def close(self) -> None:
        self._helper.close()


def test_stopping_ends_what_is_worked_on_and_whoever_asked_is_told() -> None:
    slow = Slow()
    server = AdminServer("127.0.0.1:0", admin_application(None, parts=[slow]))
    server.start()
    told: list[tuple[int, str, str]] = []
    asking = threading.Thread(target=lambda: told.append(get(f"http://{server.address}/api/slow", 120)))
    asking.start()
    assert slow.begun.wait(60)
    server.stop()
    asking.join(60)
    assert [status for status, _, _ in told] == [422]
