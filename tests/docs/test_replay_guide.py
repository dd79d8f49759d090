"""Every command of docs/replay.md does what the page says, on Apache Kafka and into a sandbox."""

import re
import shlex
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer

from pipeline.demo.shop import shop_records
from pipeline.presets_folder import presets_folder
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.pipeline import write_configuration
from tests.servers.replay import Done, run_command
from tests.servers.sandbox import SandboxThread

pytestmark = pytest.mark.kafka

PAGE = Path(__file__).parents[2] / "docs/replay.md"
START_MS = int(datetime.fromisoformat("2026-01-31T07:30:00Z").timestamp() * 1000)
RECORDS = 400


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(
    apache_kafka: ApacheKafka, sandbox: SandboxThread, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder as the page supposes: pipeline.yaml, another workspace's, the rules and corrected ones."""
    folder, topic = tmp_path_factory.mktemp("guide"), "guided"
    apache_kafka.create_topic(topic, 2)
    producer = Producer({"bootstrap.servers": apache_kafka.bootstrap_servers})
    for each in shop_records(RECORDS, seed=3, start_ms=START_MS, people=20, step_ms=20_000):
        producer.produce(topic, each.value, each.key, timestamp=each.timestamp_ms)
    assert producer.flush(30) == 0
    rules = (presets_folder() / "demo.yaml").read_text("utf-8")
    (folder / "shop.yaml").write_text(rules)
    (folder / "fixed.yaml").write_text(
        rules.partition("\ntests:")[0].replace("${upper(order.currency)}", "${lower(order.currency)}") + "\n"
    )
    configuration = write_configuration(
        folder,
        bootstrap_servers=apache_kafka.bootstrap_servers,
        topic=topic,
        base_url=sandbox.base_url,
        group="guide",
        mapping={"files": ["shop.yaml"]},
    )
    shutil.copy(configuration, folder / "new-workspace.yaml")
    return folder


@pytest.fixture
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def done(command: str, *more: str) -> Done:
    program, *arguments = shlex.split(command)
    assert program == "cio-pipeline"
    found = run_command(*arguments, *more)
    assert found.status == 0, f"{command}\n{found.errors}"
    return found


@pytest.mark.usefixtures("in_folder")
def test_every_command_of_the_page_works_in_the_order_of_the_page(sandbox: SandboxThread) -> None:
    assert len(commands()) >= 10
    outcomes = {command: done(command) for command in commands()}
    assert sandbox.counts()["events_counted"] > 0
    listed = outcomes["cio-pipeline replay list"].output
    for name in ("lost-hour", "order-fix", "u-000001", "new-workspace", "backfill"):
        assert name in listed
    assert Path("diff.html").read_text("utf-8").count("attributes.currency") == 1


def test_every_option_that_the_page_names_exists() -> None:
    named = set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text("utf-8")))
    helps = [run_command(command, "--help").output for command in ("replay", "trace")]
    assert named <= {option for text in helps for option in re.findall(r"--[a-z][a-z-]+", text)}
