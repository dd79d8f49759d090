"""The mapping files that come with the program."""

from pathlib import Path

import pytest

from pipeline.mapping import load_rules
from pipeline.mapping.cases import load_suites, run_case
from pipeline.mapping.coverage import coverage
from pipeline.mapping.lint import lint

PRESETS = sorted(Path("mappings").rglob("*.yaml"))


def test_there_is_a_preset_for_each_source_that_is_promised() -> None:
    names = {path.stem for path in PRESETS if path.parent.name == "mappings"}
    promised = {"segment", "rudderstack", "cloudevents", "debezium", "snowplow", "posthog", "ga4", "demo"}
    assert names >= promised


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_passes_its_tests_reaches_every_branch_and_lints_clean(path: Path) -> None:
    suites = load_suites([path])
    for suite in suites:
        results = [run_case(suite.rules, case) for case in suite.cases]
        assert [(result.case.test.name, result.lines) for result in results if result.lines] == []
        assert coverage(suite.rules, results).missed == ()
    assert lint(suites) == []


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_says_what_it_expects(path: Path) -> None:
    header = path.read_text(encoding="utf-8").split("version:")[0]
    assert header.startswith("# ")
    assert "# Expects " in header


def test_the_rules_of_the_demo_are_found_by_an_index() -> None:
    rules = load_rules([Path("mappings/demo.yaml")])
    assert rules.index is not None
    assert rules.index.rest == ()
    assert rules.index.path == ("type",)
