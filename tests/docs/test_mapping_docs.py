"""The mapping's documentation: generated pages are up to date, every example in them runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.mapping import mapping
from pipeline.documents import parse_document
from pipeline.mapping.cases import Case, run_case
from pipeline.mapping.codes import CODES
from pipeline.mapping.expression import REGISTRY, compile_expression
from pipeline.mapping.expression.functions import Example
from pipeline.mapping.lint import lint_rules
from pipeline.mapping.loading import compile_rules
from pipeline.mapping.reference import reference

GUIDE = Path("docs/mapping-guide.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
EXAMPLES = [
    (name, example)
    for name, function in REGISTRY.items()
    for example in function.examples
    if name == function.name
]


def test_the_reference_is_what_the_program_would_write_now() -> None:
    assert Path("docs/mapping-reference.md").read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize(
    ("name", "example"), EXAMPLES, ids=[f"{name}-{n}" for n, (name, _) in enumerate(EXAMPLES)]
)
def test_every_example_of_a_function_gives_what_it_says(name: str, example: Example) -> None:
    assert f"{name}(" in example.expression
    assert json.dumps(compile_expression(example.expression)(example.event)) == json.dumps(example.result)


def test_every_function_that_can_be_shown_alone_has_an_example() -> None:
    without = {name for name, function in REGISTRY.items() if not function.examples}
    assert without == {"event", "item", "index", "kafka", "env"}


@pytest.mark.parametrize("text", FENCES, ids=range(len(FENCES)))
def test_every_mapping_in_the_guide_passes_its_own_tests(text: str) -> None:
    document = parse_document(text, "guide.yaml")
    rules = compile_rules([document], traced=True)
    assert rules.files["guide.yaml"].tests
    assert lint_rules(rules) == []
    for number, test in enumerate(rules.files["guide.yaml"].tests):
        assert run_case(rules, Case(test, document, ("tests", number))).lines == ()


def used_codes() -> set[str]:
    sources = [*Path("pipeline/mapping").rglob("*.py"), *Path("pipeline/documents").rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in sources if path.name != "codes.py"]
    return {code for text in texts for code in re.findall(r'"([a-z][a-z0-9.-]+)"', text) if code in CODES}


def test_the_list_of_codes_has_no_code_that_nothing_reports() -> None:
    assert used_codes() == set(CODES)


def test_the_guide_names_only_commands_that_exist() -> None:
    named: set[Any] = set(re.findall(r"cio-pipeline mapping ([a-z]+)", GUIDE))
    assert named <= set(mapping.commands)
    assert named >= {"test", "lint", "apply", "explain", "new"}


def test_the_guide_lists_every_preset() -> None:
    listed = set(re.findall(r"^\| `([\w/.]+)` \|", GUIDE.partition("## Presets")[2], re.MULTILINE))
    assert listed == {path.name for path in Path("mappings").glob("*.yaml")} | {"examples/"}
