"""Traces end to end: from a record's header through the real program to a receiver of OpenTelemetry's protocol."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxThread
from tests.servers.serving import serving

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

WITHOUT = """
import sys
import pipeline.cli.assembly
from pipeline.cli.tracing import open_tracing
assert not any(name.startswith("opentelemetry") for name in sys.modules), "imported though it is off"
"""
NOT_INSTALLED = """
import sys
from contextlib import ExitStack
from pathlib import Path
sys.modules["opentelemetry"] = None
from pipeline.cli.tracing import open_tracing
from pipeline.config import load_settings
open_tracing(load_settings(Path(sys.argv[1]), {}), lambda: 0.0, ExitStack())
"""


class Receiver(ThreadingHTTPServer):
    """Takes spans as a collector does; `answer` is the status of its answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.answer = 200


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.answer == 200:
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                names = {a.key: a.value.string_value for a in resource.resource.attributes}
                self.server.services.add(names["service.name"])
                for scope in resource.scope_spans:
                    self.server.spans += scope.spans
        self.send_response(self.server.answer)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as receiver:
        yield receiver


def configuration(folder: Path, servers: str, topic: str, base_url: str, receiver: Receiver) -> Path:
    endpoint = f"http://127.0.0.1:{receiver.server_port}/v1/traces"
    return write_configuration(
        folder,
        bootstrap_servers=servers,
        topic=topic,
        base_url=base_url,
        tracing={"enabled": True, "endpoint": endpoint},
    )


def write(servers: str, topic: str, person: str) -> None:
    event = {
        "type": "user.signed_up",
        "occurred_at": "2026-03-14T09:26:53Z",
        "user": {"id": person, "email": "a@b.cd"},
    }
    producer = Producer({"bootstrap.servers": servers})
    headers: dict[str, str | bytes | None] = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    producer.produce(topic, value=json.dumps(event).encode(), headers=headers)
    producer.produce(topic, value=json.dumps(event).encode())
    assert producer.flush(30) == 0


@pytest.mark.full
def test_a_records_trace_goes_on_to_the_request_and_an_absent_receiver_costs_only_spans(
    embedded_broker: EmbeddedBrokerProcess, receiver: Receiver, tmp_path: Path
) -> None:
    topic, servers = f"traced-{uuid4().hex[:8]}", embedded_broker.bootstrap_servers
    embedded_broker.create_topic(topic, 1)
    with SandboxThread() as sandbox:
        path = configuration(tmp_path, servers, topic, sandbox.base_url, receiver)
        with PipelineProcess(path) as pipeline:
            pipeline.wait_until(pipeline.is_ready, "ready")
            write(servers, topic, "u1")
            pipeline.wait_until(lambda: len(receiver.spans) >= 5, "spans arrived")
            receiver.answer = 400
            write(servers, topic, "u2")
            pipeline.wait_until(lambda: pipeline.logged("traces_not_exported"), "the failure told")
            receiver.answer = 200
            write(servers, topic, "u3")
            pipeline.wait_until(lambda: pipeline.logged("traces_exported"), "the recovery told")
            pipeline.stop()
        assert {person["id"] for person in sandbox.people()} == {"u1", "u2", "u3"}
    ours = [span for span in receiver.spans if span.trace_id.hex() == TRACE]
    names = {span.name for span in ours}
    assert {f"process {topic}", "map"} < names
    assert any(name.startswith("deliver ") for name in names)
    (first, *_) = [span for span in ours if span.name == f"process {topic}"]
    assert first.parent_span_id.hex() == PARENT
    batches = [span for span in receiver.spans if span.name == "deliver batch"]
    assert {link.trace_id.hex() for batch in batches for link in batch.links} == {TRACE}
    assert {span.parent_span_id for span in receiver.spans if span.name == "POST"} <= {
        b.span_id for b in batches
    }
    assert receiver.services == {"cio-pipeline"}
    assert b"u1" not in b"".join(span.SerializeToString() for span in receiver.spans)


def test_nothing_of_opentelemetry_is_imported_while_traces_are_off() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.full
def test_traces_without_the_extra_are_a_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(
        "kafka: {bootstrap_servers: '127.0.0.1:1', topics: t}\n"
        "customerio: {site_id: s, api_key: k}\n"
        "tracing: {enabled: true}\n"
    )
    command = [sys.executable, "-c", NOT_INSTALLED, str(tmp_path / "pipeline.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "OpenTelemetry is not installed; install 'cio-pipeline[otel]'" in done.stderr
