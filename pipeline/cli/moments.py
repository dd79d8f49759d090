"""Moments on the command line: a time, or how long ago it was."""

import time
from datetime import datetime

import click

from pipeline.errors import ConfigurationError
from pipeline.replay.bounds import parse_duration_s


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Return Unix milliseconds for a time in ISO 8601 with its zone, or for how long ago it was: `90m`, `24h`, `2w`.

    Raises:
        click.BadParameter: it is neither, or has no zone.
    """
    if value is None:
        return None
    try:
        return int((time.time() - parse_duration_s(value)) * 1000)
    except ConfigurationError:
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a time such as 2026-01-31T08:00:00Z nor a span such as 24h"
        ) from None
    if found.tzinfo is None:
        raise click.BadParameter("a time needs its zone, for example 2026-01-31T08:00:00Z")
    return int(found.timestamp() * 1000)
