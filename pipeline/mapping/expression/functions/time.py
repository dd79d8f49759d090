"""Functions over points in time. A point is a number of Unix seconds; a text without a zone is UTC."""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import partial
from math import floor, isfinite

from pipeline.mapping.expression.functions.registry import EvaluationError, Example, define
from pipeline.mapping.expression.functions.values import to_number

_define = partial(define, group="Time")
_UNITS = ((1e17, 1_000_000_000), (1e14, 1_000_000), (1e11, 1_000))
_DURATION = re.compile(
    r"(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)


@_define(
    "epoch(time) -> number",
    "Whole Unix seconds of a time: an ISO 8601 text, or a number of seconds, of milliseconds (from 1e11), "
    "microseconds (from 1e14) or nanoseconds (from 1e17).",
    Example("epoch('2026-03-14T09:26:53Z')", 1773480413),
    Example("epoch('2026-03-14')", 1773446400),
    Example("epoch(1773480413123)", 1773480413),
    parameters=["string|number"],
)
def epoch(time: str | float) -> int:
    """Return whole Unix seconds.

    Raises:
        EvaluationError: the text is no time.
    """
    if type(time) is str:
        number = (
            None if time[4:5] == "-" else to_number(time)
        )  # the usual text is a date: spare it the other look
        if number is None:
            return floor(_instant(time).timestamp())
        time = number
    return _seconds(time)  # type: ignore[arg-type]


def _seconds(number: float) -> int:
    if not isfinite(number):
        raise EvaluationError("epoch() takes a finite number")
    size = abs(number)
    for least, unit in _UNITS:
        if size >= least:
            return floor(number / unit) if type(number) is float else int(number) // unit
    return floor(number)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise EvaluationError("the text is not a time in ISO 8601") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@_define(
    "parse_time(text, format) -> number",
    "Unix seconds of a text in a format of strftime's codes; without a zone it is UTC.",
    Example("parse_time('14/03/2026 09:26', '%d/%m/%Y %H:%M')", 1773480360),
    parameters=["string", "string"],
)
def _parse_time(text: str, pattern: str) -> int:
    try:
        instant = datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is set below
        return floor((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, re.error):
        raise EvaluationError("the text does not fit the format of parse_time()") from None


@_define(
    "format_time(time, format) -> text",
    "A time written in a format of strftime's codes, in UTC.",
    Example("format_time(1773480413, '%Y-%m-%d')", "2026-03-14"),
    Example("format_time('2026-03-14T23:30:00-02:00', '%d.%m. %H:%M')", "15.03. 01:30"),
    parameters=["string|number", "string"],
)
def _format_time(time: str | float, pattern: str) -> str:
    try:
        return _calendar(epoch(time)).strftime(pattern)
    except ValueError:
        raise EvaluationError("format_time() cannot write this time in this format") from None


@_define(
    "date_add(time, duration) -> number",
    "Unix seconds of a time moved by an ISO 8601 duration; a month later than the 31st is the last day of the month.",
    Example("date_add('2026-01-31', 'P1M')", 1772236800),
    Example("date_add(1773480413, '-PT90S')", 1773480323),
    parameters=["string|number", "string"],
)
def _date_add(time: str | float, duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    if match is None or duration[-1] in "PT" or len(duration) > 40:
        raise EvaluationError("date_add() takes a duration like P30D or PT1H30M")
    sign = -1 if match[1] else 1
    years, months, weeks, days, hours, minutes, seconds = (
        sign * int(part or 0) for part in match.groups()[1:]
    )
    try:
        moved = _months_later(_calendar(epoch(time)), 12 * years + months)
        moved += timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except (ValueError, OverflowError):
        raise EvaluationError("date_add() leaves the years that a calendar has") from None
    return floor(moved.timestamp())


def _calendar(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise EvaluationError("the time is outside the years that a calendar has") from None


def _months_later(instant: datetime, months: int) -> datetime:
    if not months:
        return instant
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    return instant.replace(year=year, month=month + 1, day=min(instant.day, monthrange(year, month + 1)[1]))
