"""`cio-pipeline init` in an empty folder, as a newcomer uses it."""

from pathlib import Path

import pytest

from pipeline.cli.entry import run_command_line
from pipeline.config import load_settings
from pipeline.documents import DocumentError
from pipeline.errors import ExitStatus

KEYS = {
    "CIO_PIPELINE__KAFKA__BOOTSTRAP_SERVERS": "kafka:9092",
    "CIO_PIPELINE__KAFKA__TOPICS": "shop",
    "CIO_PIPELINE__CUSTOMERIO__SITE_ID": "site",
    "CIO_PIPELINE__CUSTOMERIO__API_KEY": "key",
}


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_writes_a_configuration_and_a_mapping_and_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my shop"
    assert run_command_line(["init", str(folder)]) == ExitStatus.DONE
    assert written(folder) == {"pipeline.yaml", "mappings/first.yaml"}
    output = capsys.readouterr().out
    assert f"cio-pipeline run --config '{folder}/pipeline.yaml'" in output


def test_the_first_mapping_lints_and_its_tests_cover_it(tmp_path: Path) -> None:
    run_command_line(["init", str(tmp_path)])
    mappings = str(tmp_path / "mappings")
    assert run_command_line(["mapping", "test", mappings, "--min-coverage", "100"]) == ExitStatus.DONE
    assert run_command_line(["mapping", "lint", mappings, "--strict"]) == ExitStatus.DONE


def test_without_a_folder_it_writes_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command_line(["init"]) == ExitStatus.DONE
    assert written(tmp_path) == {"pipeline.yaml", "mappings/first.yaml"}


def test_with_addresses_and_keys_the_configuration_is_complete(tmp_path: Path) -> None:
    run_command_line(["init", str(tmp_path)])
    settings = load_settings(tmp_path / "pipeline.yaml", KEYS)
    assert settings.mapping.files == (tmp_path / "mappings/first.yaml",)
    assert settings.mapping.files[0].exists()


def test_without_them_it_says_which_are_missing_and_where(tmp_path: Path) -> None:
    run_command_line(["init", str(tmp_path)])
    with pytest.raises(DocumentError) as caught:
        load_settings(tmp_path / "pipeline.yaml", {})
    assert [
        (problem.location.line, problem.text.partition(" is missing")[0]) for problem in caught.value.problems
    ] == [
        (6, "'kafka.bootstrap_servers'"),
        (7, "'kafka.topics'"),
        (20, "the site id"),
        (21, "the API key"),
    ]


@pytest.mark.parametrize("existing", ["pipeline.yaml", "mappings/first.yaml"])
def test_it_never_overwrites_and_then_writes_nothing_at_all(
    tmp_path: Path, existing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / existing).parent.mkdir(exist_ok=True)
    (tmp_path / existing).write_text("mine")
    assert run_command_line(["init", str(tmp_path)]) == ExitStatus.USAGE
    assert f"{tmp_path / existing} exists already and is left as it is" in capsys.readouterr().err
    assert written(tmp_path) == {existing}
    assert (tmp_path / existing).read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_a_clear_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mappings").write_text("a file where a folder should be")
    assert run_command_line(["init", str(tmp_path)]) == ExitStatus.USAGE
    assert "mappings: cannot write: " in capsys.readouterr().err
