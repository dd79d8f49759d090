"""Every example in the documents is one that works: settings load, rules pass their tests, commands are known."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pipeline.cli.commands import command_line
from pipeline.config import load_settings
from pipeline.documents import parse_document
from pipeline.mapping.cases import Case, run_case
from pipeline.mapping.lint import lint_rules
from pipeline.mapping.loading import compile_rules

PROJECT = Path(__file__).parents[2]
PAGES = (PROJECT / "README.md", *sorted(PROJECT.glob("docs/*.md")))
ELSEWHERE = {"mapping-guide.md"}
"""Pages whose examples have tests of their own."""
CONNECTION = {
    "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": ["events"], "group_id": "example"},
    "customerio": {"site_id": "site", "api_key": "key"},
}


def fences(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        if page.name not in ELSEWHERE:
            found = re.findall(
                rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
            )
            yield from ((page.name, text) for text in found)


def yaml_examples() -> list[Any]:
    return [pytest.param(text, id=f"{name}-{number}") for number, (name, text) in enumerate(fences("yaml"))]


def commands() -> list[Any]:
    """Each line of an example that calls the program, and each such call within a sentence."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            found.update((line, page.name) for line in block.splitlines() if line.startswith("cio-pipeline "))
        found.update((line, page.name) for line in re.findall(r"`(cio-pipeline [^`]+)`", text))
    return [pytest.param(line, id=f"{name}: {line[:60]}") for line, name in found.items()]


@pytest.mark.parametrize("text", yaml_examples())
def test_an_example_in_yaml_is_a_rule_that_passes_its_tests_or_settings_that_load(
    text: str, tmp_path: Path
) -> None:
    example = yaml.safe_load(text)
    if isinstance(example, list) or "rules" in example:
        rules = example if isinstance(example, list) else example["rules"]
        whole = {"version": 1, **({} if isinstance(example, list) else example), "rules": rules}
        document = parse_document(yaml.safe_dump(whole, sort_keys=False), "example.yaml")
        compiled = compile_rules([document])
        assert [problem for problem in lint_rules(compiled) if "test" not in problem.code] == []
        for number, test in enumerate(compiled.files["example.yaml"].tests):
            assert run_case(compiled, Case(test, document, ("tests", number))).lines == ()
        return
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump({**CONNECTION, **example}))
    warnings: list[str] = []
    load_settings(path, {}, warn=lambda problem: warnings.append(str(problem)))
    assert warnings == []


@pytest.mark.parametrize("line", commands())
def test_a_command_in_a_document_exists_with_its_options(line: str) -> None:
    words = shlex.split(re.sub(r"[\[\]|]", " ", line), comments=True)[1:]
    command: click.Command = command_line
    context = click.Context(command)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, context, words = found, click.Context(found, parent=context), words[1:]
    known = {
        name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)
    }
    named = {re.split("[=.,]", word)[0] for word in words if re.match(r"--?[a-z]", word)}
    assert named <= known | {"--version"}
