"""`cio-pipeline demo` as a newcomer meets it: a real process, the real pipeline."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.servers.pipeline import wait_until

COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()", "demo"]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_the_summary_accounts_for_every_record() -> None:
    result = demo("--events", "3000", "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["read"] == 3_000
    assert summary["unaccounted"] == 0
    assert summary["delivered"] == sum(summary["calls"].values())
    assert set(summary["calls"]) == {"identify", "track", "page", "destroy"}
    assert set(summary["dead_letters"]) == {"undecodable", "no_identity", "too_large"}
    assert summary["skipped"] > 0
    assert summary["people"] > 0
    assert summary["seconds"] > 0
    assert len(summary["partitions"]) == 4
    assert all(each["committed"] == each["end"] for each in summary["partitions"])
    assert sum(each["end"] for each in summary["partitions"]) == 3_000
    assert result.stderr == ""


def test_the_text_says_that_all_is_well() -> None:
    text = demo("--events", "300").stdout
    assert "All 300 records are accounted for" in text
    assert "shop-events/3" in text


def test_an_interrupt_in_the_middle_stops_in_order_and_says_what_is_left(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--events", "200000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    wait_until(
        lambda: any(file.stat().st_size for file in tmp_path.glob("*/dead-letters.jsonl")), "in the middle"
    )
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert "Interrupted" in stdout
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_does_not_answer_is_named_and_ends_it() -> None:
    result = demo("--bootstrap-servers", "127.0.0.1:9")
    assert result.returncode == 1
    assert "127.0.0.1:9" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_stays_up_when_asked_and_tells_the_addresses(tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "--events", "200", "--keep"], stdout=subprocess.DEVNULL, stderr=stderr
        )
    try:
        wait_until(lambda: "Ctrl-C ends it" in (tmp_path / "err").read_text(), "the addresses shown", 60)
        text = (tmp_path / "err").read_text()
        assert "Kafka" in text
        (page,) = re.findall(r"Page\s+(http://\S+)", text)
        assert "<title>cio-pipeline</title>" in httpx.get(page, trust_env=False).text
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert "dead-letters.jsonl" in text
