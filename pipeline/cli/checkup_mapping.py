"""The mapping files: whether they load, what the linter says, and whether their tests pass."""

from collections.abc import Iterator

from pipeline.cli.checkup_findings import Finding, failed, left_out, passed
from pipeline.config import Settings
from pipeline.documents import DocumentError
from pipeline.mapping import load_rules
from pipeline.mapping.cases import Suite, load_suites, run_case
from pipeline.mapping.lint import lint


def mapping_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what the mapping commands would say."""
    files = settings.mapping.files
    again = "see them with `cio-pipeline mapping"
    try:
        rules, suites = load_rules(files), load_suites(files)
    except DocumentError as error:
        first = str(error.problems[0]).splitlines()[0]
        more = len(error.problems) - 1
        text = f"{first}{f' (and {more} more)' if more else ''}"
        yield failed("mapping", text, f"{again} lint`")
        return
    warnings = len(lint(suites, rules))
    noted = f", {warnings} warnings ({again} lint`)" if warnings else ""
    yield passed("mapping", f"{len(rules.rules)} rules{noted}")
    yield _tested(suites, again)


def _tested(suites: list[Suite], again: str) -> Finding:
    results = [run_case(suite.rules, case) for suite in suites for case in suite.cases]
    bad = [result for result in results if result.lines]
    if not results:
        return left_out("mapping tests", "the mapping has no tests")
    if bad:
        return failed(
            "mapping tests",
            f"{len(bad)} of {len(results)} fail; the first: {bad[0].case.location}",
            f"{again} test`",
        )
    return passed("mapping tests", f"{len(results)} pass")
