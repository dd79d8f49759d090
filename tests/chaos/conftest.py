"""Shows the figures of the chaos runs at the end."""

import pytest

from tests.chaos.harness.figures import PROPERTY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each run recorded."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    found = [
        f"{report.nodeid.rpartition('::')[2]}: {text}"
        for report in reports
        if report.when == "call"
        for name, text in report.user_properties
        if name == PROPERTY
    ]
    if found:
        terminalreporter.section("figures of the chaos runs")
        for line in found:
            terminalreporter.write_line(line)
