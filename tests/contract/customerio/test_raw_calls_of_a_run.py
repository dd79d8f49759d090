"""`raw` calls of rules, from Kafka to the sandbox: their data, their own retries, what holds and what does not."""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import API_KEY, SandboxThread

pytestmark = pytest.mark.full

MAPPING = """
version: 1
rules:
  - name: person
    when: type == 'person'
    raw:
      path: "/v1/customers/${id}"
      method: PUT
      body: {plan: "${plan}"}
      query: {source: pipeline}
      headers: {X-Token: header-secret}
      response_type: text
      timeout_seconds: 20
      debug: true
  - name: form
    when: type == 'form'
    raw: {path: /v1/forms/f1/submit, form: {email: "${email}"}, files: {a: {name: a.txt, content: "file-secret"}}}
  - name: bounded
    when: type == 'bounded'
    raw: {path: /v1/bounded, max_retry_count: 2, retry_delay_ms: 1, exponential_backoff: true}
  - name: stubborn
    when: type == 'stubborn'
    raw: {path: /v1/stubborn, max_retry_count: 1, retry_on_all_errors: true}
"""
_topics = count(1)


@pytest.fixture(params=["us", "eu"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxThread]:
    """A local Customer.io of either region."""
    with SandboxThread(region=request.param) as server:
        yield server


def start(
    broker: EmbeddedBrokerProcess, sandbox: SandboxThread, folder: Path, events: Sequence[dict[str, Any]]
) -> PipelineProcess:
    topic = f"raw-{next(_topics)}"
    broker.create_topic(topic, 1)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for event in events:
        producer.produce(topic, orjson.dumps(event), key=str(event.get("id", "")))
    assert producer.flush(20) == 0
    (folder / "raw.yaml").write_text(MAPPING)
    configuration = write_configuration(
        folder,
        bootstrap_servers=broker.bootstrap_servers,
        topic=topic,
        base_url=sandbox.base_url,
        mapping={"files": ["raw.yaml"]},
        deadletters={"limit_share": None},
    )
    return PipelineProcess(configuration)


def dead_letters(folder: Path) -> list[dict[str, Any]]:
    path = folder / "dead-letters.jsonl"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def plan_of(sandbox: SandboxThread, person: str) -> object:
    found = [each for each in sandbox.people() if person in str(each)]
    return found[0]["attributes"].get("plan") if found else None


def test_raw_calls_arrive_or_are_given_up_alone(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path
) -> None:
    """The form is refused at once: the Track API takes a form's data as JSON only."""
    sandbox.set_fault("status", status=503, path="/api/v1/bounded")
    sandbox.set_fault("status", status=404, path="/api/v1/stubborn")
    events = [
        {"type": "bounded"},
        {"type": "stubborn"},
        {"type": "form", "email": "mail-secret@example.com"},
        {"type": "person", "id": "u1", "plan": "plan-secret"},
    ]
    with start(embedded_broker, sandbox, tmp_path, events) as pipeline:
        pipeline.wait_until(lambda: plan_of(sandbox, "u1") == "plan-secret", "the person made")
        pipeline.wait_until(lambda: len(dead_letters(tmp_path)) == 3, "the others given up")
        pipeline.wait_until(lambda: pipeline.logged("raw_request"), "the request logged")
        assert pipeline.is_ready()
        assert not pipeline.logged("delivery_holds")
        (line,) = (line for line in pipeline.logs if line["event"] == "raw_request")
        assert pipeline.stop() == 143
    assert sorted(letter["reason"] for letter in dead_letters(tmp_path)) == [
        "rejected",
        "retries_exhausted",
        "retries_exhausted",
    ]
    assert [fault["struck"] for fault in sandbox.faults()] == [3, 2]
    assert (line["method"], line["path"], line["status"]) == ("PUT", "/v1/customers/u1", 200)
    assert (line["query"], line["headers"]) == (["source"], ["X-Token"])
    for hidden in ("plan-secret", "header-secret", "file-secret", "mail-secret", API_KEY):
        assert hidden not in pipeline.output


def test_credentials_that_are_refused_hold_a_raw_call_too(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    with SandboxThread() as sandbox:
        sandbox.set_fault("status", status=401, path="/api/v1/bounded")
        with start(embedded_broker, sandbox, tmp_path, [{"type": "bounded"}]) as pipeline:
            pipeline.wait_until(lambda: pipeline.logged("delivery_holds"), "held")
            pipeline.wait_until(lambda: sandbox.faults()[0]["struck"] > 3, "asked again and again")
            assert not pipeline.is_ready()
            assert dead_letters(tmp_path) == []
