"""The end of a replay: what became of it, in figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.replay.sieve import LeftOut
from pipeline.tally import Tally


@dataclass(frozen=True, slots=True)
class Summary:
    """What one run of a replay did; a continued replay counts from where it went on.

    `finished` tells whether the ranges were done to their ends. `requests` are those that were answered.
    """

    name: str | None
    finished: bool
    records: int
    skipped: int
    left_out: Mapping[str, int]
    calls: Mapping[str, int]
    delivered: Mapping[str, int]
    dead_letters: Mapping[str, int]
    requests: int
    seconds: float

    @classmethod
    def of(
        cls,
        name: str | None,
        tally: Tally,
        left_out: Mapping[LeftOut, int],
        *,
        finished: bool,
        seconds: float,
    ) -> "Summary":
        """Take stock."""
        return cls(
            name=name,
            finished=finished,
            records=tally.records.total(),
            skipped=tally.skipped["unmatched"],
            left_out={str(reason): count for reason, count in sorted(left_out.items()) if count > 0},
            calls={str(kind): count for kind, count in sorted(tally.calls.items())},
            delivered={str(kind): count for kind, count in sorted(tally.delivered.items())},
            dead_letters={str(reason): count for reason, count in sorted(tally.dead_letters.items())},
            requests=tally.requests.total(),
            seconds=round(seconds, 3),
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)
