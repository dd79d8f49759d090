"""Settings about people that would hold up the pipeline, or that nobody reads, are told before the start."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import load_settings
from pipeline.documents import DocumentError


def load(folder: Path, people: dict[str, Any], **delivery: Any) -> list[str]:
    path = folder / "pipeline.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": ["events"], "group_id": "g"},
                "customerio": {"site_id": "s", "api_key": "k"},
                "delivery": delivery,
                "people": people,
            }
        )
    )
    warnings: list[str] = []
    load_settings(path, {}, warn=lambda problem: warnings.append(str(problem)))
    return warnings


def test_what_is_held_leaves_room_for_what_is_not(tmp_path: Path) -> None:
    holding = {"unidentified": "hold_until_identified", "hold_max_calls": 600}
    with pytest.raises(DocumentError, match=r"at most half of 'delivery\.max_open_records' \(500\)"):
        load(tmp_path, holding, max_open_records=1_000)
    assert load(tmp_path, holding, max_open_records=1_200) == []


def test_a_partition_that_waits_for_what_is_held_is_not_called_stalled(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"must be less than 'kafka\.stalled_after_seconds'"):
        load(tmp_path, {"hold_seconds": 300})


def test_a_bound_of_a_memory_that_is_off_has_no_effect(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, {"unchanged_max_people": 10})
    assert "'unchanged_max_people' has no effect because 'skip_unchanged' is false" in warning


def test_a_policy_that_nobody_knows_is_refused_with_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="'unidentified'"):
        load(tmp_path, {"unidentified": "hold"})
