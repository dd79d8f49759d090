"""A moment on the command line: `--since` and `--until` take the lengths of time that `replay --from` takes."""

import time

import click
import pytest

from pipeline.cli.moments import moment


def read(text: str) -> int | None:
    command = click.Command("c")
    return moment(click.Context(command), click.Option(["--since"]), text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5_400), ("1.5h", 5_400), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_a_moment_is_how_long_ago_it_was(monkeypatch: pytest.MonkeyPatch, text: str, seconds: int) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_900_000_000.0)
    assert read(text) == (1_900_000_000 - seconds) * 1000


def test_a_moment_is_a_time_with_its_zone() -> None:
    assert read("1970-01-12T01:00:00+01:00") == 950_400_000
    with pytest.raises(click.BadParameter, match="needs its zone"):
        read("1970-01-12T01:00:00")


@pytest.mark.parametrize("text", ["", "24", "2y", "yesterday"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither a time such as"):
        read(text)
