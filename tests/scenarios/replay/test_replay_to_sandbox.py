"""`--to-sandbox URL` passes no guard, so it sends to sandboxes alone, and with no live credentials."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import orjson
import pytest
from confluent_kafka import Producer

from pipeline.customerio.client import TrackClient
from pipeline.customerio.requests import HttpRequest
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import write_configuration
from tests.servers.replay import Done, replay
from tests.servers.sandbox import CREDENTIALS, SITE_ID, SandboxThread

MAPPING = """
version: 1
rules:
  - {name: event, track: {id: "${who}", name: thing, timestamp: 1000}}
"""
TOPIC = "into-a-sandbox"


@pytest.fixture(scope="module")
def configuration(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("sandboxed")
    embedded_broker.create_topic(TOPIC, 1)
    producer = Producer({"bootstrap.servers": embedded_broker.bootstrap_servers, "log_level": 0})
    producer.produce(TOPIC, orjson.dumps({"who": "a"}))
    assert producer.flush(10) == 0
    (folder / "mapping.yaml").write_text(MAPPING)
    return write_configuration(
        folder,
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic=TOPIC,
        base_url=sandbox.base_url,
        mapping={"files": [str(folder / "mapping.yaml")]},
    )


def into(configuration: Path, url: str) -> Done:
    return replay(configuration, "--from", "earliest", "--to-sandbox", url)


class _Elsewhere(BaseHTTPRequestHandler):
    """Answers everything with an empty JSON object and remembers who asked how."""

    asked: list[tuple[str, str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, self.headers.get("authorization")))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815 - the name that the server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[HTTPServer]:
    _Elsewhere.asked = []
    with HTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_what_is_no_sandbox_gets_neither_calls_nor_credentials(
    configuration: Path, elsewhere: HTTPServer
) -> None:
    done = into(configuration, f"http://127.0.0.1:{elsewhere.server_port}/")
    assert done.status == 2, done.errors
    assert "no sandbox answers there, and nothing was sent" in done.errors
    assert _Elsewhere.asked == [("GET", "/_sandbox/counts", None)]


@pytest.mark.parametrize(
    ("url", "complaint"),
    [("sandbox:8080", "write http://"), ("http://127.0.0.1:9", "no sandbox answers there")],
)
def test_an_address_that_is_none_or_does_not_answer_is_one_clear_sentence(
    configuration: Path, url: str, complaint: str
) -> None:
    done = into(configuration, url)
    assert done.status == 2, done.errors
    assert complaint in done.errors


def test_a_sandbox_gets_our_credentials_only_if_it_takes_no_others(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    send = TrackClient.exchange

    async def noted(client: TrackClient, request: HttpRequest) -> object:
        shown.append(client._credentials.site_id)
        return await send(client, request)

    monkeypatch.setattr(TrackClient, "exchange", noted)
    for credentials, expected in ((None, "replay"), (CREDENTIALS, SITE_ID)):
        shown.clear()
        with SandboxThread(credentials) as receiver:
            done = into(configuration, receiver.base_url)
            assert done.status == 0, done.errors
            assert receiver.counts()["calls"] == {"track": 1}
        assert set(shown) == {expected}
