"""Whatever goes wrong at the receiver or on the way to it: nothing lost, nothing counted twice, everyone in order.

The pipeline, the sandbox and the broker are processes of their own. One pipeline lives through all the faults here, one
after the other; each ends by itself, and nobody restarts anything.
"""

import os
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.records import Record
from tests.chaos.accounting import calls_by_place, check_accounting, dead_letters_in, refused_calls
from tests.chaos.test_killed_pipeline import check_arrivals, check_dead_letters, is_drained
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import expectations, write_shop

PARTITIONS = 6
EVENTS = 2_000 if os.environ.get("CIO_TEST") == "all" else 800
GROUP = "faults"
BATCH_ITEMS = 40

Fault = Mapping[str, Any]


def status(number: int, **more: Any) -> Fault:
    return {"kind": "status", "status": number, **more}


COSTS_TIME: dict[str, Fault] = {
    "a reset after all is applied": {"kind": "reset_after", "share": 0.3},
    "nobody who listens": {"kind": "refuse", "seconds": 1.5},
}
ALSO_COSTS_TIME: dict[str, Fault] = {
    "a rate limit": {"kind": "rate_limit", "requests_per_second": 12},
    "status 500": status(500, share=0.3),
    "a reset before anything is applied": {"kind": "reset_before", "share": 0.3},
    "an answer cut off by the end of the connection": {"kind": "truncated", "share": 0.3},
    "an answer that takes too long": {"kind": "slow_body", "seconds": 10, "times": 3},
    "a rate limit with Retry-After": {"kind": "rate_limit", "requests_per_second": 15, "retry_after": 1},
    "status 408": status(408, share=0.3),
    "status 503 with Retry-After": status(503, retry_after=1, times=5),
    "a gateway's error page": status(502, share=0.3),
    "an answer that takes its time": {"kind": "slow_body", "seconds": 0.2, "share": 0.3},
    "a request that is not read in time": {"kind": "latency", "seconds": 3, "times": 3},
}
HOLDS: dict[str, Fault] = {
    "credentials refused for a while": status(401, times=12, after=3),
    "an answer that is half of its JSON": {"kind": "broken_json", "times": 5},
}
ALSO_HOLDS: dict[str, Fault] = {
    "a redirect for a while": status(302, location="http://127.0.0.1:9/", times=8),
    "an address that is not the API's": status(404, times=8),
    "a login page with status 200": status(200, body="<html>", times=8),
}
SPLITS: dict[str, Fault] = {
    "a batch refused for no visible reason": status(400, times=3),
    "a batch too large for something on the way": status(413, times=3),
    # Of a full batch it passes over the last call, so that nobody is overtaken.
    "an error that names no call": {
        "kind": "items",
        "indexes": [BATCH_ITEMS - 1],
        "named": False,
        "times": 3,
    },
}
REFUSES: dict[str, Fault] = {
    "calls refused by name, three times each": {"kind": "items", "indexes": [0], "repeat": 3, "share": 0.5},
    "whatever is sent, refused at random": status(400, share=0.5, times=100),
}
ALSO_REFUSES: dict[str, Fault] = {
    "whatever is sent, too large at random": status(413, share=0.5, times=100),
}


def each(everyday: Mapping[str, Fault], full: Mapping[str, Fault]) -> pytest.MarkDecorator:
    """Parametrise over faults, some of them in the full suite only."""
    cases = [pytest.param(fault, id=name) for name, fault in everyday.items()]
    cases += [pytest.param(fault, id=name, marks=pytest.mark.full) for name, fault in full.items()]
    return pytest.mark.parametrize("fault", cases)


_topics = count(1)


class Course:
    """A pipeline that runs all the while, and what happened to it in the latest round."""

    def __init__(self, broker: str, topic: str, sandbox: SandboxProcess, folder: Path) -> None:
        self.sandbox = sandbox
        self.letters = folder / "letters-of-the-round.jsonl"
        self._broker = broker
        self._topic = topic
        self._all_letters = folder / "dead-letters.jsonl"
        self._log_lines = 0
        self._pipeline = PipelineProcess(
            write_configuration(
                folder,
                bootstrap_servers=broker,
                topic=topic,
                base_url=sandbox.base_url,
                group=GROUP,
                customerio={"request_timeout_seconds": 1.0},
                delivery={
                    "commit_interval_seconds": 0.3,
                    "linger_milliseconds": 5,
                    "batch_max_items": BATCH_ITEMS,
                    "retry": {"initial_backoff_seconds": 0.02, "max_backoff_seconds": 0.2},
                },
            )
        )

    def run(self, fault: Fault) -> list[Record]:
        """Write records, let the fault strike, and wait until every record is committed; return the records."""
        self.sandbox.reset()
        self._log_lines = len(self._pipeline.logs)
        known_letters = self._all_letters.stat().st_size if self._all_letters.exists() else 0
        attempts_before = self._attempts()
        refuses_connections = fault["kind"] == "refuse"
        self.sandbox.set_fault(**({} if refuses_connections else {"path": "/api/v2/batch"}), **fault)
        records = write_shop(self._broker, self._topic, EVENTS, people=50)
        self._pipeline.wait_until(
            lambda: is_drained(self._broker, GROUP, self._topic), f"drained: {fault}", 300
        )
        self._pipeline.wait_until(self._pipeline.is_ready, "ready")
        if fault["kind"] == "latency":
            # A request that was given up still arrives, and must not do so in the next round.
            attempts = self._attempts() - attempts_before
            self._pipeline.wait_until(lambda: self.sandbox.counts()["requests"] == attempts, "all arrived")
        assert refuses_connections or self.sandbox.faults()[0]["struck"] > 0, "the fault never struck"
        with self._all_letters.open("rb") as letters:
            letters.seek(known_letters)
            self.letters.write_bytes(letters.read())
        return records

    def _attempts(self) -> int:
        return sum(self._pipeline.status()["counts"]["requests"].values())

    def logged(self, event: str) -> bool:
        """Tell whether a message of this type was written in the latest round."""
        return any(line["event"] == event for line in self._pipeline.logs[self._log_lines :])

    def end(self) -> int:
        """Stop the pipeline and return its exit status."""
        with self._pipeline:
            return self._pipeline.stop()


@pytest.fixture(scope="module")
def course(
    embedded_broker: EmbeddedBrokerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Course]:
    topic = f"faults-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    with SandboxProcess() as sandbox:
        course = Course(embedded_broker.bootstrap_servers, topic, sandbox, tmp_path_factory.mktemp("faults"))
        yield course
        assert course.end() == 143


@each(COSTS_TIME, ALSO_COSTS_TIME)
def test_trouble_costs_only_time(course: Course, fault: Fault) -> None:
    expected = expectations(course.run(fault))
    check_arrivals(course.sandbox, expected)
    check_dead_letters(course.letters, expected)


@each(HOLDS, ALSO_HOLDS)
def test_a_wrong_connection_holds_delivery_and_it_goes_on_by_itself(course: Course, fault: Fault) -> None:
    expected = expectations(course.run(fault))
    assert course.logged("delivery_holds")
    assert course.logged("delivery_goes_on")
    check_arrivals(course.sandbox, expected)
    check_dead_letters(course.letters, expected)


@each(SPLITS, {})
def test_a_refused_batch_without_a_culprit_is_split_and_delivered(course: Course, fault: Fault) -> None:
    calls = calls_by_place(course.run(fault))
    refused = refused_calls(course.letters, calls)
    # A call that was alone in its request when the fault struck, a destroy for instance, is the culprit.
    assert len(refused) <= fault["times"]
    check_accounting(course.sandbox, calls, refused)


@each(REFUSES, ALSO_REFUSES)
def test_a_refused_call_is_a_dead_letter_and_every_other_is_counted_once(
    course: Course, fault: Fault
) -> None:
    records = course.run(fault)
    calls = calls_by_place(records)
    refused = refused_calls(course.letters, calls)
    assert refused, "nothing was refused"
    assert len(dead_letters_in(course.letters)) == len(refused) + len(expectations(records).dead_letters)
    counted = set(course.sandbox.event_ids())
    assert not [place for place in refused if calls[place].key[1] in counted], "refused and counted"
    check_accounting(course.sandbox, calls, refused)
