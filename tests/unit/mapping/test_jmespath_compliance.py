"""The official JMESPath cases on the compiled code: all pass by the standard, five differ under the null policy."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jmespath
import pytest

from pipeline.mapping.expression import EvaluationError, ExpressionError, compile_expression

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "jmespath-compliance"
SYNTAX = {"bad-expression", "bad-literal", "missing-comma"}


class Case(NamedTuple):
    file: str
    given: Any
    expression: str
    result: Any
    error: str | None


def cases() -> list[Case]:
    return [
        Case(
            path.name, suite["given"], case["expression"], result_of(suite["given"], case), case.get("error")
        )
        for path in sorted(FOLDER.glob("*.json"))
        for suite in json.loads(path.read_text())
        for case in suite["cases"]
    ]


def result_of(given: Any, case: dict[str, Any]) -> Any:
    """The suite's result; for its benchmarks, which have none, the library's."""
    return jmespath.search(case["expression"], given) if "bench" in case else case.get("result")


pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the official cases are not at {FOLDER}")


def outcome(case: Case, *, standard: bool) -> Any:
    """The value, or the category of the error in the suite's words."""
    try:
        return json.dumps(compile_expression(case.expression, standard=standard)(case.given), sort_keys=True)
    except EvaluationError as error:
        return ("error", error.category)
    except ExpressionError as error:
        return ("error", "syntax" if error.code in SYNTAX else error.code)


def expected(case: Case) -> Any:
    return ("error", case.error) if case.error else json.dumps(case.result, sort_keys=True)


def test_all_908_official_cases_pass_by_the_standard() -> None:
    suite = cases()
    wrong = [
        (case.file, case.expression, outcome(case, standard=True), expected(case))
        for case in suite
        if outcome(case, standard=True) != expected(case)
    ]
    assert wrong == []
    assert len(suite) == 908


def test_only_calls_with_null_differ_under_the_null_policy() -> None:
    """And no valid case is refused for betraying its author."""
    different = {
        case.expression: outcome(case, standard=False)
        for case in cases()
        if case.error in {None, "invalid-type"} and outcome(case, standard=False) != expected(case)
    }
    assert different == dict.fromkeys(["map(&a, badkey)", "max(abc)", "min(abc)", "sort(abc)"], "null")
