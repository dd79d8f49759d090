"""Proof for the data-protection officer: real processes, kill -9, and receipts against what the sandbox has seen."""

import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from pipeline.calls import ERASING_KINDS
from pipeline.cli.entry import run_command_line
from pipeline.decode import decode_json
from pipeline.errors import ExitStatus
from pipeline.kafka.progress import group_progress
from pipeline.mapping import load_rules
from pipeline.presets_folder import presets_folder
from pipeline.receipts.log import read_receipts
from pipeline.receipts.receipt import Receipt
from pipeline.records import Position, Record
from pipeline.translation import Translation, Translator
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import write_shop

PARTITIONS = 3
_topics = count(1)

Deletion = tuple[str, str, Position]


def deletions(records: list[Record]) -> set[Deletion]:
    """Kind, person and position of each deletion that the records ask for."""
    translator = Translator(load_rules([presets_folder() / "demo.yaml"]), lambda: 4e9, decode=decode_json)
    found: set[Deletion] = set()
    for record in records:
        translation = translator.translate(record)
        assert isinstance(translation, Translation)
        for call in translation.calls:
            if call.source.kind in ERASING_KINDS:
                assert call.identity is not None
                found.add((call.source.kind.value, call.identity.value, record.position))
    return found


def receipts_in(path: Path) -> list[Receipt]:
    return [found for _, found in read_receipts(path) if isinstance(found, Receipt)]


@pytest.mark.full
def test_every_deletion_has_a_receipt_after_three_kills_and_no_receipt_is_without_a_deletion(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = group = f"receipts-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    servers = embedded_broker.bootstrap_servers
    wanted = deletions(write_shop(servers, topic, 4_000, people=200, partitions=PARTITIONS))
    assert len(wanted) > 20
    with SandboxProcess() as sandbox:
        configuration = write_configuration(
            tmp_path,
            bootstrap_servers=servers,
            topic=topic,
            base_url=sandbox.base_url,
            group=group,
            receipts={"file": "receipts.jsonl"},
            delivery={"batch_max_items": 20, "max_in_flight_requests": 2},
        )

        def calls() -> int:
            return sum(sandbox.counts()["calls"].values())

        def have_arrived(moment: int) -> Callable[[], bool]:
            return lambda: calls() >= moment

        def is_drained() -> bool:
            return all(each.committed == each.end for each in group_progress(servers, group, topic))

        for _ in range(3):
            moment = calls() + random.randrange(200, 800)
            with PipelineProcess(configuration) as pipeline:
                pipeline.wait_until(have_arrived(moment), "the moment of the kill", 300)
                pipeline.kill()
        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(is_drained, "drained", 300)
            assert pipeline.stop() == 128 + signal.SIGTERM
        arrived = Counter(
            arrival["person"] for arrival in sandbox.arrivals() if arrival["kind"] in {"destroy", "suppress"}
        )

    kept = receipts_in(tmp_path / "receipts.jsonl")
    assert {(each.kind.value, each.person, each.position) for each in kept} == wanted
    by_person = Counter(f"id:{each.person}" for each in kept)
    assert all(arrived[person] >= receipts for person, receipts in by_person.items()), (
        "none without a delivery"
    )
    assert {each.sent_to for each in kept} == {sandbox.base_url}

    person = kept[0].person
    status = run_command_line(["receipts", "--config", str(configuration), "--person", person, "--json"])
    shown = json.loads(capsys.readouterr().out)["receipts"]
    assert status == ExitStatus.DONE
    assert len(shown) == by_person[f"id:{person}"]
