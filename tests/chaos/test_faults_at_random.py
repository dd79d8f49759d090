"""A minute of faults drawn at random; CIO_SEED repeats a run."""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.accounting import calls_by_place, check_accounting, dead_letters_in, refused_calls
from tests.chaos.test_killed_pipeline import is_drained
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import expectations, write_shop

PARTITIONS = 6
ROUNDS = 60
EVENTS_A_ROUND = 150
BATCH_ITEMS = 10


def draw_fault(draw: random.Random) -> dict[str, Any]:
    """Return a fault that ends by itself or with the next round."""
    share = draw.choice([0.05, 0.2, 0.6])
    strikes = {"share": share, "times": draw.randint(1, 10)}
    kinds: list[dict[str, Any]] = [
        {
            "kind": "status",
            "status": draw.choice([400, 401, 404, 408, 413, 429, 500, 502, 503, 504]),
            **strikes,
        },
        {"kind": "status", "status": draw.choice([429, 503]), "retry_after": draw.randint(0, 2), **strikes},
        {"kind": "rate_limit", "requests_per_second": draw.randint(5, 50)},
        {"kind": draw.choice(["reset_before", "reset_after", "truncated", "broken_json"]), **strikes},
        {"kind": "slow_body", "seconds": draw.choice([0.1, 3.0]), **strikes},
        # The last call of a full batch: when the answer is lost and it is accepted later, it has overtaken nobody.
        {"kind": "items", "indexes": [BATCH_ITEMS - 1], "repeat": draw.randint(1, 3), **strikes},
        {"kind": "refuse", "seconds": draw.choice([0.2, 1.0, 2.0])},
    ]
    fault = draw.choice(kinds)
    return fault if fault["kind"] == "refuse" else {"path": "/api/v2/batch", **fault}


@pytest.mark.slow
def test_a_minute_of_faults_drawn_at_random(embedded_broker: EmbeddedBrokerProcess, tmp_path: Path) -> None:
    seed = int(os.environ.get("CIO_SEED", random.SystemRandom().randrange(2**32)))
    print(f"CIO_SEED={seed}")
    draw = random.Random(seed)
    broker, topic, group = embedded_broker.bootstrap_servers, f"random-{seed}", "random"
    embedded_broker.create_topic(topic, PARTITIONS)
    records = []
    with SandboxProcess() as sandbox:
        configuration = write_configuration(
            tmp_path,
            bootstrap_servers=broker,
            topic=topic,
            base_url=sandbox.base_url,
            group=group,
            customerio={"request_timeout_seconds": 1.0},
            delivery={
                "commit_interval_seconds": 0.3,
                "linger_milliseconds": 5,
                "batch_max_items": BATCH_ITEMS,
                "retry": {"initial_backoff_seconds": 0.05, "max_backoff_seconds": 1.0},
            },
        )
        with PipelineProcess(configuration) as pipeline:
            for number in range(ROUNDS):
                fault = draw_fault(draw)
                print(fault)
                sandbox.set_fault(**fault)
                records += write_shop(broker, topic, EVENTS_A_ROUND, people=40, seed=number)
                if fault["kind"] == "refuse" or number % 3 == 2:
                    pipeline.wait_until(lambda: is_drained(broker, group, topic), f"drained: {fault}", 300)
                    sandbox.clear_faults()
            pipeline.wait_until(lambda: is_drained(broker, group, topic), "drained", 300)
            assert pipeline.stop() == 143
        calls = calls_by_place(records)
        letters = tmp_path / "dead-letters.jsonl"
        refused = refused_calls(letters, calls)
        print(f"{len(records):,} records, {len(calls):,} calls, {len(refused):,} refused")
        assert len(dead_letters_in(letters)) == len(refused) + len(expectations(records).dead_letters)
        check_accounting(sandbox, calls, refused)
