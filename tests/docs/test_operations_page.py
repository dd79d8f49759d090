"""docs/operations.md lists every metric and every log message, and no other."""

import ast
import re
from pathlib import Path

from pipeline.operations.metric_list import COUNTERS, GAUGES, HISTOGRAMS

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/operations.md").read_text("utf-8")


def test_the_table_of_metrics_is_the_list_of_metrics() -> None:
    listed = [(f"{metric.name}_total", metric) for metric in COUNTERS] + [
        (metric.name, metric) for metric in (*HISTOGRAMS, *GAUGES)
    ]
    expected = [
        f"| `{name}` | {', '.join(metric.labels)} | {metric.description} |" for name, metric in listed
    ]
    assert re.findall(r"^\| `cio_pipeline_.*$", PAGE, re.MULTILINE) == expected


def test_every_file_that_the_page_names_exists() -> None:
    for name in re.findall(r"`(docker/[\w./-]+)`", PAGE):
        assert (PROJECT / name).exists(), name


def messages() -> set[tuple[str, str]]:
    """Every message that the program can log, with its level."""
    found: set[tuple[str, str]] = set()
    for file in PROJECT.glob("pipeline/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="_log" | "log"), attr=level),
                    args=[ast.Constant(value=str(message)), *_],
                ):
                    found.add((message, level))
    return found


def test_every_message_is_listed_with_its_level_and_none_besides() -> None:
    table = PAGE[PAGE.index("### Logs") : PAGE.index("## Runbook")]
    listed = {
        (message, level.strip())
        for message, levels in re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", table, re.MULTILINE)
        for level in levels.split(",")
    }
    assert messages() == listed
