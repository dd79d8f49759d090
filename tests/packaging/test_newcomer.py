"""A newcomer's path: every command of docs/quick-start.md, in an empty folder, with the installed program."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from pipeline import __version__
from pipeline.errors import ExitStatus
from tests.packaging.dockerfile import PROJECT
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.ports import free_ports

pytestmark = pytest.mark.full  # the program is built and installed first
PAGE = (PROJECT / "docs/quick-start.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
EVENTS = [
    {
        "type": "user.created",
        "occurred_at": "2026-03-14T09:26:53Z",
        "user": {"id": "u1", "email": "Ada@Example.com"},
    },
    {
        "type": "page.viewed",
        "occurred_at": "2026-03-14T09:27:00Z",
        "user": {"id": "u1"},
        "url": "https://shop.example/",
    },
    {"type": "cart.updated", "user": {"id": "u1"}},
    {"type": "user.created", "occurred_at": "yesterday", "user": {"id": "u2", "email": "x@example.com"}},
]


class Newcomer:
    """Types commands in a folder."""

    def __init__(self, installed: Path, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.environment = {
            "PATH": f"{installed}/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
        }
        self._stack = stack
        self._running: list[subprocess.Popen[bytes]] = []

    def types(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def starts(self, command: str, name: str) -> subprocess.Popen[bytes]:
        """Leave a command running; what it says goes to a file."""
        with (self.folder / f"{name}.txt").open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        self._stack.callback(_end, process)
        self._running.append(process)
        return process

    @property
    def has_what_it_started(self) -> bool:
        return all(process.poll() in {None, -signal.SIGKILL} for process in self._running)

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.txt").read_text("utf-8")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


def wait_until(condition: Callable[[], Any], what: str, newcomer: Newcomer) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        said = "\n".join(file.read_text("utf-8") for file in newcomer.folder.glob("*.txt"))
        assert newcomer.has_what_it_started, f"ended before {what}: {said}"
        assert time.monotonic() < deadline, f"no sign of {what}: {said}"
        time.sleep(0.05)


@pytest.fixture
def newcomer(installed: Path, tmp_path: Path) -> Iterator[Newcomer]:
    with ExitStack() as stack:
        yield Newcomer(installed, tmp_path, stack)


@pytest.fixture(scope="module")
def broker(embedded_broker: EmbeddedBrokerProcess) -> EmbeddedBrokerProcess:
    embedded_broker.create_topic("shop-events", 2)
    producer = Producer({"bootstrap.servers": embedded_broker.bootstrap_servers})
    for event in EVENTS:
        producer.produce("shop-events", key=b"u1", value=json.dumps(event).encode())
    assert producer.flush(10) == 0
    return embedded_broker


def is_ready(admin: str) -> bool:
    try:
        return httpx.get(f"http://{admin}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def is_settled(newcomer: Newcomer, configuration: str = "shop/pipeline.yaml") -> bool:
    answer = newcomer.types(f"cio-pipeline status --config {configuration} --json")
    lags = [partition["lag"] for partition in json.loads(answer.stdout)["partitions"]]
    return answer.returncode == 0 and lags == [0, 0]


def exported(commands: Sequence[str], broker: EmbeddedBrokerProcess) -> dict[str, str]:
    """Return what the page's export lines set, the broker's address being this one's."""
    values = dict(
        command.removeprefix("export ").split("=", 1) for command in commands if command.startswith("export ")
    )
    assert values["CIO_PIPELINE__KAFKA__TOPICS"] == "shop-events"
    return values | {"CIO_PIPELINE__KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers}


def test_the_path_leads_to_a_first_delivered_event(newcomer: Newcomer, broker: EmbeddedBrokerProcess) -> None:
    typed = ["make demo", "pip install ."]  # the demo has tests of its own; the fixture has installed

    def types(command: str) -> str:
        typed.append(command)
        answer = newcomer.types(command)
        assert answer.returncode == 0, f"{command}: {answer.stdout}{answer.stderr}"
        return answer.stdout

    assert types("cio-pipeline --version") == f"cio-pipeline {__version__}\n"
    types("cio-pipeline init shop")
    environment = exported(COMMANDS, broker)
    typed += [command for command in COMMANDS if command.startswith("export ")]
    types("cio-pipeline mapping test shop/mappings/first.yaml")

    typed.append("cio-pipeline sandbox")
    newcomer.starts("cio-pipeline sandbox --listen 127.0.0.1:0 --json", "sandbox")
    wait_until(lambda: "\n" in newcomer.said("sandbox"), "the sandbox", newcomer)
    base_url = json.loads(newcomer.said("sandbox"))["base_url"]

    (port,) = free_ports(1)
    admin = f"127.0.0.1:{port}"
    newcomer.environment |= environment | {
        "CIO_PIPELINE__CUSTOMERIO__BASE_URL": base_url,
        "CIO_PIPELINE__ADMIN__LISTEN": admin,
        "CIO_PIPELINE__DELIVERY__COMMIT_INTERVAL_SECONDS": "0.2",
    }
    run = "cio-pipeline run --config shop/pipeline.yaml"
    pipeline = newcomer.starts(run, "run")
    typed.append(run)
    wait_until(lambda: is_ready(admin), "readiness", newcomer)
    wait_until(lambda: is_settled(newcomer), "the end of the topic", newcomer)
    assert "ready (cio-pipeline" in types("cio-pipeline status --config shop/pipeline.yaml")
    types("cio-pipeline check --config shop/pipeline.yaml")

    people = httpx.get(f"{base_url}/_sandbox/people", trust_env=False).json()
    assert [(person["id"], person["email"]) for person in people] == [("u1", "ada@example.com")]
    letters = (newcomer.folder / "shop/dead-letters.jsonl").read_text("utf-8").splitlines()
    assert len(letters) == 2, "an identify and a track of the event whose time cannot be read"

    pipeline.send_signal(signal.SIGTERM)
    assert pipeline.wait(30) == ExitStatus.TERMINATED
    assert "Traceback" not in newcomer.said("run")
    assert typed == COMMANDS


def test_in_an_empty_folder_every_command_of_the_first_day_works(
    newcomer: Newcomer, broker: EmbeddedBrokerProcess
) -> None:
    def types(command: str, status: int = 0) -> str:
        answer = newcomer.types(command)
        said = answer.stdout + answer.stderr
        assert answer.returncode == status, f"{command}: {said}"
        assert "Traceback" not in said
        return said

    assert list(newcomer.folder.iterdir()) == []
    types("cio-pipeline --help")
    types("cio-pipeline init")
    assert "is missing" in types("cio-pipeline check", ExitStatus.FAILED), "what to fill in is said"
    assert "0 failed" in types("cio-pipeline mapping test mappings/first.yaml")
    story = json.loads(newcomer.types("cio-pipeline demo --events 500 --json").stdout)
    assert (story["written"], story["unaccounted"]) == (500, 0)

    newcomer.starts("cio-pipeline sandbox --listen 127.0.0.1:0 --json", "sandbox")
    wait_until(lambda: "\n" in newcomer.said("sandbox"), "the sandbox", newcomer)
    (port,) = free_ports(1)
    newcomer.environment |= exported(COMMANDS, broker) | {
        "CIO_PIPELINE__CUSTOMERIO__BASE_URL": json.loads(newcomer.said("sandbox"))["base_url"],
        "CIO_PIPELINE__KAFKA__GROUP_ID": "first-day",
        "CIO_PIPELINE__ADMIN__LISTEN": f"127.0.0.1:{port}",
        "CIO_PIPELINE__DELIVERY__COMMIT_INTERVAL_SECONDS": "0.2",
    }
    types("cio-pipeline check")
    pipeline = newcomer.starts("cio-pipeline run", "run")
    wait_until(lambda: is_ready(f"127.0.0.1:{port}"), "readiness", newcomer)
    wait_until(lambda: is_settled(newcomer, "pipeline.yaml"), "the end of the topic", newcomer)
    assert "ready (cio-pipeline" in types("cio-pipeline status")
    assert "2 dead letters" in types("cio-pipeline deadletters list")

    page = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    parts = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|svg))"', page.text)
    assert parts, "the page brings its own script and style"
    for part in parts:
        assert httpx.get(f"http://127.0.0.1:{port}{part}", trust_env=False).status_code == 200, part
    assert "//" not in "".join(parts), "nothing comes from elsewhere"

    pipeline.send_signal(signal.SIGINT)
    assert pipeline.wait(30) == ExitStatus.INTERRUPTED


def test_kubernetes_sees_a_process_that_starts_waits_for_its_broker_and_stops_in_time(
    newcomer: Newcomer, broker: EmbeddedBrokerProcess
) -> None:
    newcomer.types("cio-pipeline init shop")
    (port,) = free_ports(1)
    admin = f"127.0.0.1:{port}"
    newcomer.environment |= exported(COMMANDS, broker) | {
        "CIO_PIPELINE__KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_ports(1)[0]}",
        "CIO_PIPELINE__ADMIN__LISTEN": admin,
    }
    waiting = newcomer.starts("cio-pipeline run --config shop/pipeline.yaml", "run")

    def answers(path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"http://{admin}{path}", trust_env=False)
        except httpx.TransportError:
            return None

    def readiness() -> str:
        answer = answers("/readyz")
        return "" if answer is None else answer.text

    wait_until(lambda: answers("/healthz") is not None, "the startup probe", newcomer)
    wait_until(lambda: "no broker can be reached" in readiness(), "the reason", newcomer)
    ready, health = answers("/readyz"), answers("/healthz")
    assert ready is not None
    assert health is not None
    assert (ready.status_code, health.status_code) == (503, 200)
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(30) == ExitStatus.TERMINATED


def test_a_killed_process_goes_on_where_it_had_committed(
    newcomer: Newcomer, broker: EmbeddedBrokerProcess
) -> None:
    newcomer.types("cio-pipeline init shop")
    newcomer.starts("cio-pipeline sandbox --listen 127.0.0.1:0 --json", "sandbox")
    wait_until(lambda: "\n" in newcomer.said("sandbox"), "the sandbox", newcomer)
    (port,) = free_ports(1)
    admin = f"127.0.0.1:{port}"
    newcomer.environment |= exported(COMMANDS, broker) | {
        "CIO_PIPELINE__CUSTOMERIO__BASE_URL": json.loads(newcomer.said("sandbox"))["base_url"],
        "CIO_PIPELINE__KAFKA__GROUP_ID": "killed",
        "CIO_PIPELINE__KAFKA__SESSION_TIMEOUT_SECONDS": "11",
        "CIO_PIPELINE__ADMIN__LISTEN": admin,
        "CIO_PIPELINE__DELIVERY__COMMIT_INTERVAL_SECONDS": "0.2",
    }
    first = newcomer.starts("cio-pipeline run --config shop/pipeline.yaml", "run")
    wait_until(lambda: is_ready(admin), "readiness", newcomer)
    wait_until(lambda: is_settled(newcomer), "the end of the topic", newcomer)
    first.kill()
    first.wait()
    newcomer.starts("cio-pipeline run --config shop/pipeline.yaml", "again")
    wait_until(lambda: is_ready(admin), "readiness after the kill", newcomer)
    document = httpx.get(f"http://{admin}/api/status", trust_env=False).json()
    assert document["counts"]["records"] == 0
