"""Where a replay begins and ends, as a person writes it: an offset, a moment, or a time before now."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.errors import ConfigurationError

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_RELATIVE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])\Z")
# No zero before a partition: 08:00 is a time of day, to which the date is missing.
_OF_PARTITION = re.compile(r"(0|[1-9][0-9]*):(.+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Earliest:
    """The first record there is."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the partition when the replay starts."""


@dataclass(frozen=True, slots=True)
class AtOffset:
    """An offset."""

    offset: int


@dataclass(frozen=True, slots=True)
class AtTime:
    """A moment, in Unix milliseconds."""

    unix_ms: int


Bound = Earliest | End | AtOffset | AtTime


@dataclass(frozen=True, slots=True)
class Bounds:
    """One end of a range: `default` for every partition that has none of its own."""

    default: Bound | None
    of: Mapping[int, Bound]

    def get(self, partition: int) -> Bound | None:
        """Return the bound of a partition."""
        return self.of.get(partition, self.default)


def parse_duration_s(text: str) -> float:
    """Return the seconds that a text such as `90m`, `24h` or `7d` means.

    Raises:
        ConfigurationError: it means nothing.
    """
    found = _RELATIVE.match(text)
    if found is None:
        raise ConfigurationError(
            f"{text!r} is not a length of time; write a number and s, m, h, d or w, such as 72h"
        )
    return float(found[1]) * _UNITS[found[2]]


def parse_bounds(option: str, texts: Sequence[str], now: float) -> Bounds:
    """Read what was given to `--from` or `--until`; `0:1200` is for partition 0 alone. `now` is Unix time.

    Raises:
        ConfigurationError: a text means nothing, or two are for the same partition.
    """
    default: Bound | None = None
    of: dict[int, Bound] = {}
    for text in texts:
        single = _OF_PARTITION.match(text)
        if single is not None:
            partition = int(single[1])
            if partition in of:
                raise ConfigurationError(f"{option} is given twice for partition {partition}")
            of[partition] = _parse(option, single[2], now)
        elif default is not None:
            raise ConfigurationError(
                f"{option} is given twice for all partitions; write PARTITION:{text} for one of them"
            )
        else:
            default = _parse(option, text, now)
    return Bounds(default, of)


def _parse(option: str, text: str, now: float) -> Bound:
    if text == "earliest":
        return Earliest()
    if text == "now":
        return End()
    if text.isascii() and text.isdigit():
        return AtOffset(int(text))
    if _RELATIVE.match(text):
        return AtTime(int((now - parse_duration_s(text)) * 1000))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} {text!r} is none of: an offset, a time such as 2026-01-31T08:00:00Z, a time ago such as 24h,"
            " earliest, now"
        ) from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"{option} {text!r} needs its zone, for example {text}Z")
    return AtTime(round(moment.timestamp() * 1000))
