"""The bill of a dry run is what a real run then does."""

from collections import Counter
from pathlib import Path

import pytest

from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import write_configuration
from tests.servers.replay import replay
from tests.servers.sandbox import SandboxThread
from tests.servers.shop_topic import write_shop

RECORDS = 4_000
PARTITIONS = 3


@pytest.fixture(scope="module")
def configuration(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    topic = "billed-shop"
    embedded_broker.create_topic(topic, PARTITIONS)
    write_shop(embedded_broker.bootstrap_servers, topic, RECORDS, people=200, partitions=PARTITIONS)
    return write_configuration(
        tmp_path_factory.mktemp("billed"),
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic=topic,
        base_url=sandbox.base_url,
        delivery={"batch_max_items": 100},
    )


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param((), id="plain"),
        pytest.param(("--allow-irreversible", "--include-erased"), id="everything", marks=pytest.mark.full),
        pytest.param(("--identify", "fold"), id="folded"),
        pytest.param(
            ("--rules", "order,signup", "--partitions", "0-1"),
            id="some rules of some partitions",
            marks=pytest.mark.full,
        ),
    ],
)
def test_a_run_does_what_the_bill_said(
    configuration: Path, sandbox: SandboxThread, tmp_path: Path, choices: tuple[str, ...]
) -> None:
    sandbox.reset()
    bill = replay(configuration, "--from", "earliest", "--dry-run", *choices).document
    assert sandbox.counts()["requests"] == 0, "a dry run sends nothing"
    done = replay(configuration, "--from", "earliest", "--to-sandbox", sandbox.base_url, *choices)
    assert done.status == 0, done.errors
    summary, arrivals = done.document, list(sandbox.arrivals())
    assert bill["calls"] == summary["calls"] == dict(Counter(each["kind"] for each in arrivals))
    assert bill["people"] == len({each["person"] for each in arrivals})
    assert bill["dead_letters"] == summary["dead_letters"]
    assert bill["left_out"] == summary["left_out"]
    assert (bill["records"], bill["skipped"]) == (summary["records"], summary["skipped"])
    assert bill["requests_least"] <= sandbox.counts()["requests"] <= bill["requests_most"]
    output = tmp_path / "calls.jsonl"
    assert replay(configuration, "--from", "earliest", "--output", str(output), *choices).status == 0
    assert bill["bytes"] == sum(len(line) for line in output.read_bytes().splitlines())


def test_a_sample_extrapolates_and_says_so(configuration: Path) -> None:
    whole = replay(configuration, "--from", "earliest", "--dry-run").document
    done = replay(configuration, "--from", "earliest", "--dry-run", "--sample", "40%")
    sample = done.document
    assert "extrapolated" in done.errors
    assert sample["sample"] == 0.4
    assert sample["records"] == RECORDS
    assert sample["people"] == pytest.approx(whole["people"], rel=0.3)
    assert sum(sample["calls"].values()) == pytest.approx(sum(whole["calls"].values()), rel=0.3)


def test_the_bill_is_for_people_to_read(configuration: Path) -> None:
    errors = replay(configuration, "--from", "earliest", "--dry-run").errors
    for words in ("requests", "minutes", "too large", "inside the window", "age of events", "dead letters"):
        assert words in errors
