"""How often a value was how large: counted by upper bounds, so that it costs one look-up and no memory."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds for one exchange."""
DELAYS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
"""Bounds in seconds for what may wait through an outage."""
SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Bounds for parts of a whole."""


@dataclass(frozen=True, slots=True)
class HistogramPicture:
    """A histogram at one moment: how many values there were up to each bound, the last of which is infinity."""

    buckets: tuple[tuple[float, int], ...]
    total: float

    @property
    def count(self) -> int:
        """How many values there were."""
        return self.buckets[-1][1]

    def since(self, earlier: "HistogramPicture") -> "HistogramPicture":
        """Return what came after an earlier picture of the same histogram."""
        buckets = zip(self.buckets, earlier.buckets, strict=True)
        return HistogramPicture(
            tuple((bound, count - before) for (bound, count), (_, before) in buckets),
            self.total - earlier.total,
        )

    def quantile(self, share: float) -> float | None:
        """Return the value that this share of all stays below, as well as the bounds tell; None without any.

        As in Prometheus: linear within a bucket, and the last finite bound for what lies beyond it.
        """
        rank = share * self.count
        lower, below = 0.0, 0
        for bound, count in self.buckets:
            if count >= rank and count > below:
                if bound == inf:
                    return lower
                return lower + (bound - lower) * (rank - below) / (count - below)
            lower, below = bound, count
        return None


class Histogram:
    """Counts values by upper bounds. One thread adds, others may take a picture at any time."""

    __slots__ = ("_counts", "_total", "bounds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self._total += value

    def picture(self) -> HistogramPicture:
        """Return what there is now; the copy of the counts is one step of the interpreter."""
        counts = self._counts[:]
        return HistogramPicture(tuple(zip((*self.bounds, inf), accumulate(counts), strict=True)), self._total)
