"""`cio-pipeline check` looks at the files that a run would write, without touching them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli.checkup_files import file_findings
from pipeline.cli.checkup_findings import State
from pipeline.config import Settings, load_settings


def settings(folder: Path, **sections: Any) -> Settings:
    path = folder / "pipeline.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": ["events"], "group_id": "g"},
                "customerio": {"site_id": "s", "api_key": "k"},
                **sections,
            }
        )
    )
    return load_settings(path, {})


def told(settings: Settings) -> list[tuple[str, bool, str]]:
    return [(found.name, found.state is State.PASSED, found.text) for found in file_findings(settings)]


def test_files_that_nobody_asked_for_are_not_looked_at(tmp_path: Path) -> None:
    assert told(settings(tmp_path)) == []


@pytest.mark.parametrize("folder", ["", "missing/"])
def test_receipts_and_known_people_must_have_a_place(tmp_path: Path, folder: str) -> None:
    found = told(
        settings(
            tmp_path,
            receipts={"file": f"{folder}receipts.jsonl"},
            people={"unidentified": "drop", "known_file": f"{folder}known.sqlite"},
        )
    )
    assert [(name, fine) for name, fine, _ in found] == [
        ("receipts", not folder),
        ("known people", not folder),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipeline.yaml"], "nothing was written"
