"""The alarms and the board ask only for metrics that a process really exports, by labels and values that they have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipeline.calls import CallKind, Reason
from pipeline.customerio.verdicts import RETRY_CAUSES, VERDICT_NAMES
from pipeline.operations.metric_list import COUNTERS, GAUGES, HISTOGRAMS
from pipeline.operations.metrics import Metrics
from pipeline.status import EngineStatus
from pipeline.tally import Tally

PROJECT = Path(__file__).parents[2]
FOUND_BY_PROMETHEUS = {"job", "instance"}
CLOSED = {
    "kind": {kind.value for kind in CallKind} | {"assigned", "revoked", "lost"},
    "reason": {reason.value for reason in Reason},
    "result": {"committed", "loaded", "refused"},
    "cause": {"unmatched", "dropped", *RETRY_CAUSES},
    "verdict": set(VERDICT_NAMES),
    "since": {"written", "read"},
    "limit": {"items", "bytes"},
}


def labels_by_metric() -> dict[str, set[str]]:
    ours = {f"{metric.name}_total": set(metric.labels) for metric in COUNTERS}
    ours |= {metric.name: set(metric.labels) for metric in GAUGES}
    for metric in HISTOGRAMS:
        ours |= {f"{metric.name}_{part}": set(metric.labels) for part in ("sum", "count")}
        ours[f"{metric.name}_bucket"] = {*metric.labels, "le"}
    exposition = Metrics(Tally(), lambda: EngineStatus(ready=True)).render().decode()
    of_process = {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name.startswith("process_")
    }
    return {"up": set()} | of_process | ours


METRICS = labels_by_metric()


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROJECT / "docker/prometheus/alerts.yml").read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def panels() -> list[dict[str, Any]]:
    board = json.loads((PROJECT / "docker/grafana/boards/cio-pipeline.json").read_text("utf-8"))
    found: list[dict[str, Any]] = board["panels"]
    return found


def queries() -> dict[str, str]:
    found = {rule["alert"]: rule["expr"] for rule in alerts()}
    for panel in panels():
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"].replace("$__rate_interval", "1m")
    return found


def selectors(query: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


@pytest.mark.parametrize(("name", "query"), queries().items(), ids=queries())
def test_a_query_asks_only_for_what_is_exported(name: str, query: str) -> None:
    asked = selectors(query)
    assert asked, name
    for selector in asked:
        assert selector.name in METRICS, selector.name
        for matcher in selector.matchers.matchers:
            assert matcher.name in METRICS[selector.name] | FOUND_BY_PROMETHEUS, matcher.name
            if matcher.name in CLOSED:
                assert set(matcher.value.split("|")) <= CLOSED[matcher.name]


@pytest.mark.parametrize(("name", "query"), queries().items(), ids=queries())
def test_a_query_groups_by_labels_that_its_metrics_have(name: str, query: str) -> None:
    for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
        for label in group.replace(" ", "").split(","):
            known = FOUND_BY_PROMETHEUS | set.union(
                *(METRICS[selector.name or ""] for selector in selectors(query))
            )
            assert label in known, label


@pytest.mark.parametrize(("name", "query"), queries().items(), ids=queries())
def test_a_counter_is_asked_for_its_rate_and_a_gauge_for_its_value(name: str, query: str) -> None:
    for metric in re.findall(r"\b(?:cio_pipeline|process)_\w+", query):
        counted = re.search(rf"(?:rate|increase)\({metric}\b", query) is not None
        assert counted == metric.endswith(("_total", "_bucket", "_sum", "_count")), metric


def test_every_metric_of_ours_is_on_the_board() -> None:
    shown = {
        selector.name
        for panel in panels()
        for target in panel["targets"]
        for selector in selectors(target["expr"].replace("$__rate_interval", "1m"))
    }
    shown |= {re.sub("_(bucket|sum|count)$", "", name or "") for name in shown}
    ours = {f"{metric.name}_total" for metric in COUNTERS} | {
        metric.name for metric in (*HISTOGRAMS, *GAUGES)
    }
    assert ours - shown == {
        "cio_pipeline_calls_total",
        "cio_pipeline_partition_end_offset",
        "cio_pipeline_partition_committed_offset",
        "cio_pipeline_partition_position",
    }


def test_every_legend_names_labels_that_the_query_keeps() -> None:
    for panel in panels():
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                kept = {
                    part
                    for group in re.findall(r"by \(([^)]*)\)", target["expr"])
                    for part in re.split(r",\s*", group)
                }
                assert label in kept or (not kept and label in FOUND_BY_PROMETHEUS), panel["title"]


def test_the_panels_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def runbook() -> Iterator[str]:
    text = (PROJECT / "docs/operations.md").read_text("utf-8")
    yield from re.findall(r"^### (CioPipeline\w+)", text, re.MULTILINE)


def test_every_alarm_has_its_entry_in_the_runbook_and_the_other_way_round() -> None:
    assert sorted(runbook()) == sorted(rule["alert"] for rule in alerts())


def test_every_alarm_says_how_bad_it_is_and_what_it_means() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"].endswith(".")
