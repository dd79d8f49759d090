"""docs/operations.md lists every metric with its labels and meaning, and no other."""

import re
from pathlib import Path

from pipeline.operations.metric_list import COUNTERS, GAUGES

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text("utf-8")


def test_the_table_of_metrics_is_the_list_of_metrics() -> None:
    listed = [(f"{metric.name}_total", metric) for metric in COUNTERS] + [
        (metric.name, metric) for metric in GAUGES
    ]
    expected = [
        f"| `{name}` | {', '.join(metric.labels)} | {metric.description} |" for name, metric in listed
    ]
    assert re.findall(r"^\| `cio_pipeline_.*$", PAGE, re.MULTILINE) == expected


def test_every_file_that_the_page_names_exists() -> None:
    for name in re.findall(r"`(docker/[\w./-]+)`", PAGE):
        assert (Path(__file__).parents[2] / name).exists(), name
