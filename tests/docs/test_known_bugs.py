"""The list of known bugs is whole, and every test that it names exists."""

import re
from pathlib import Path

import pytest

from tests.docs.test_documents import PROJECT, names

PAGE = PROJECT / "docs/decisions/0010-known-bugs-of-kafka-consumers.md"
SHORT = {"contract": "tests/contract/test_source_contract.py", "engine": "tests/unit/test_engine.py"}
COUNT = 49
_ROW = re.compile(r"^\| (\d+)(?: to (\d+))?(?:, (\d+))? \| .* \| (.*) \|$", re.MULTILINE)
_TEST = re.compile(r"(?:`(tests/[\w/]+\.py)`|\b(contract|engine|test_\w+)):\s+(Test\w+|[a-z]\w*_\w+)")


def text() -> str:
    return PAGE.read_text("utf-8")


def named_tests() -> list[tuple[str, str]]:
    """Files and functions; a file that was named once goes by its stem after that."""
    stems = dict(SHORT)
    found = []
    for path, short, name in _TEST.findall(text()):
        if path:
            stems[Path(path).stem] = path
        function = name if name.startswith("Test") else f"test_{name}"
        found.append((path or stems.get(short) or f"tests/kafka/{short}.py", function))
    return found


def test_every_bug_is_in_the_table_once() -> None:
    numbers: list[int] = []
    for first, last, other, _ in _ROW.findall(text()):
        numbers += range(int(first), int(last or first) + 1)
        numbers += [int(other)] if other else []
    assert sorted(numbers) == list(range(1, COUNT + 1))


def test_every_bug_has_a_test_or_a_reason() -> None:
    for *_, answer in _ROW.findall(text()):
        assert len(answer) > 3, answer


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert name in names(PROJECT / file)
