"""Which dead letters the `deadletters` commands are about: files, conditions, and what is found."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.calls import CallKind, Reason
from pipeline.cli.deadletters_store import Found, open_found
from pipeline.cli.moments import moment
from pipeline.config import Settings, load_settings
from pipeline.deadletters.archive import Foreign
from pipeline.deadletters.selection import Selection
from pipeline.errors import ConfigurationError

Command = TypeVar("Command", bound=Callable[..., Any])

SHOWN_FOREIGN_LINES = 10


_FILES = (
    click.option(
        "--config",
        "-c",
        "config",
        type=click.Path(dir_okay=False, path_type=Path),
        default=Path("pipeline.yaml"),
        show_default=True,
        help="The configuration of the pipeline.",
    ),
    click.option(
        "--file",
        "files",
        multiple=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read this file instead of what the configuration says; may be given several times.",
    ),
)
_CONDITIONS = (
    click.option("--reason", multiple=True, type=click.Choice([str(reason) for reason in Reason])),
    click.option("--rule", multiple=True, help="The rule that made, or should have made, the call."),
    click.option("--field", multiple=True, help="What was wrong, as `list` shows it."),
    click.option("--kind", multiple=True, type=click.Choice([str(kind) for kind in CallKind])),
    click.option("--topic", multiple=True),
    click.option("--position", multiple=True, metavar="TOPIC/PARTITION@OFFSET"),
    click.option(
        "--since",
        metavar="TIME",
        callback=moment,
        help="Last seen then or later: a time, or how long ago (24h).",
    ),
    click.option("--until", metavar="TIME", callback=moment, help="Last seen before then."),
)


def with_files(command: Command) -> Command:
    """Give a command the options that say where dead letters are."""
    for option in reversed(_FILES):
        command = option(command)
    return command


def with_conditions(command: Command) -> Command:
    """Give a command the options that choose among dead letters; those of one kind are alternatives."""
    for option in reversed(_CONDITIONS):
        command = option(command)
    return command


def selection_of(options: dict[str, Any]) -> Selection:
    """Take the conditions out of a command's options."""
    return Selection(
        reasons=frozenset(options.pop("reason")),
        rules=frozenset(options.pop("rule")),
        fields=frozenset(options.pop("field")),
        kinds=frozenset(options.pop("kind")),
        topics=frozenset(options.pop("topic")),
        positions=frozenset(options.pop("position")),
        since_ms=options.pop("since"),
        until_ms=options.pop("until"),
    )


def settings_of(config: Path) -> Settings:
    """Load the configuration.

    Raises:
        ConfigurationError: it cannot be used.
    """
    return load_settings(config, os.environ)


def secrets_of(settings: Settings) -> list[str]:
    """Return the credentials, as far as they can be had, so that nothing shows them."""
    secrets = []
    for secret in (settings.customerio.site_id_secret, settings.customerio.api_key_secret):
        try:
            secrets.append(secret.reveal())
        except ConfigurationError:
            continue
    return secrets


@contextmanager
def find(
    config: Path, files: Sequence[Path], selection: Selection, *, alone: str | None = None
) -> Iterator[Found]:
    """Read the dead letters, tell about lines that are none, and choose; see `open_found`.

    Raises:
        ConfigurationError: the configuration or a file cannot be used, or another that is `alone` is at work.
    """
    settings = None if files else settings_of(config)
    with open_found(settings, files, selection, alone=alone) as found:
        _tell_foreign(found.foreign)
        yield found


def _tell_foreign(foreign: Sequence[Foreign]) -> None:
    for each in foreign[:SHOWN_FOREIGN_LINES]:
        click.echo(f"{each.where}: warning: {each.text}; it is passed over", err=True)
    more = len(foreign) - SHOWN_FOREIGN_LINES
    if more > 0:
        click.echo(f"{more:,} more are passed over", err=True)
