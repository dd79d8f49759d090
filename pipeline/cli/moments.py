"""Moments on the command line: a time, or how long ago it was."""

import re
import time
from datetime import datetime

import click

_SPAN = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Return Unix milliseconds for a time in ISO 8601 with its zone, or for how long ago it was: `90m`, `24h`, `7d`."""
    if value is None:
        return None
    span = _SPAN.fullmatch(value)
    if span:
        return int((time.time() - int(span[1]) * _SECONDS[span[2]]) * 1000)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a time such as 2026-01-31T08:00:00Z nor a span such as 24h"
        ) from None
    if found.tzinfo is None:
        raise click.BadParameter("a time needs its zone, for example 2026-01-31T08:00:00Z")
    return int(found.timestamp() * 1000)
