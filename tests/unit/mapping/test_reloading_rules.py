"""Rules that replace running ones: complete, and true to their own tests."""

from pathlib import Path

import pytest

from pipeline.documents import DocumentError
from pipeline.mapping import WatchedRules, load_tested_rules

GOOD = "version: 1\nrules:\n  - {name: r, when: type == 'x', destroy: {id: u}}\n"
TESTS = "tests:\n  - {name: t, event: {type: x}, expect: [{call: destroy, id: u}]}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(GOOD + TESTS)
    return path


def test_rules_whose_tests_pass_are_loaded(file: Path) -> None:
    assert [rule.name for rule in load_tested_rules([file.parent]).rules] == ["r"]


def test_rules_whose_tests_fail_are_refused_with_the_place_of_the_test(file: Path) -> None:
    file.write_text(GOOD + TESTS.replace("id: u", "id: v"))
    with pytest.raises(DocumentError) as caught:
        load_tested_rules([file])
    problem = caught.value.problems[0]
    assert (problem.code, problem.location.line) == ("test-failed", 5)
    assert "the test 't' fails" in problem.text


def test_a_failing_test_in_a_file_beside_the_rules_counts_too(file: Path) -> None:
    (file.parent / "m_test.yaml").write_text(
        "version: 1\ntests:\n  - {name: u, event: {type: y}, expect: [{call: destroy}]}\n"
    )
    with pytest.raises(DocumentError, match="the test 'u' fails"):
        load_tested_rules([file.parent])


def test_rules_that_do_not_compile_are_refused(file: Path) -> None:
    file.write_text(GOOD.replace("type ==", "typ(e) =="))
    with pytest.raises(DocumentError, match="unknown function"):
        load_tested_rules([file])


def test_a_change_of_the_contents_is_noticed_once(file: Path) -> None:
    watched = WatchedRules([file.parent])
    assert not watched.changed()
    file.write_text(GOOD)
    assert watched.changed()
    assert not watched.changed()
    file.touch()
    assert not watched.changed()


def test_files_that_come_and_go_are_noticed(file: Path) -> None:
    watched = WatchedRules([file.parent])
    (file.parent / "n.yaml").write_text("version: 1\n")
    assert watched.changed()
    file.unlink()
    assert watched.changed()
    (file.parent / "n.yaml").unlink()
    assert watched.changed()
    assert not watched.changed()
