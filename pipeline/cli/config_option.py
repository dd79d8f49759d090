"""`--config`, the same for every command that reads the configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(help_text: str) -> Callable[[Command], Command]:
    """Return the decorator; the command gets the file as `path`."""
    return click.option(
        "--config",
        "-c",
        "path",
        type=click.Path(dir_okay=False, path_type=Path),
        default=Path("pipeline.yaml"),
        show_default=True,
        help=help_text,
    )
