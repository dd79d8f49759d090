"""The documents are true: what they name exists."""

import ast
import re
from pathlib import Path

import pytest

from pipeline import __version__

PROJECT = Path(__file__).parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])


def names(file: Path) -> set[str]:
    """Every function, class and assigned name at the top of a module."""
    found: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def named_tests() -> list[tuple[str, str]]:
    text = (PROJECT / "docs/guarantees.md").read_text("utf-8")
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_every_test_that_a_guarantee_names_exists(file: str, name: str) -> None:
    assert name in names(PROJECT / file)


def test_every_guarantee_is_there_once_and_in_order() -> None:
    text = (PROJECT / "docs/guarantees.md").read_text("utf-8")
    assert re.findall(r"^## G(\d+) ", text, re.MULTILINE) == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)(?:CIO_TEST=all )?make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    newest = re.search(r"^## \[([^\]]+)\]", (PROJECT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def test_every_decision_has_a_number_of_its_own_and_says_what_was_decided() -> None:
    records = sorted((PROJECT / "docs/decisions").glob("[0-9]*.md"))
    numbers = [record.name[:4] for record in records]
    assert len(set(numbers)) == len(numbers)
    for record in records:
        assert record.read_text("utf-8").startswith(f"# {record.name[:4]}: "), record.name
