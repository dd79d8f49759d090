"""What a process takes of the machine over time: memory, file descriptors, threads. As CSV, and whether it is flat."""

import csv
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Usage(NamedTuple):
    """What a process takes."""

    resident_mb: float
    file_descriptors: float
    threads: float


def usage_of(process: int) -> Usage:
    """Look at a process now."""
    folder = Path(f"/proc/{process}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    resident_mb = int(status["VmRSS"].split()[0]) / 1024
    return Usage(resident_mb, sum(1 for _ in (folder / "fd").iterdir()), int(status["Threads"]))


class Curve:
    """The samples of one process, written down as they come."""

    def __init__(self, process: int, path: Path) -> None:
        self._process = process
        self._path = path
        self._started = time.monotonic()
        self._samples: list[Usage] = []
        with path.open("w", newline="") as file:
            csv.writer(file).writerow(["seconds", *Usage._fields])

    def take(self) -> None:
        """Look at the process now."""
        usage = usage_of(self._process)
        self._samples.append(usage)
        with self._path.open("a", newline="") as file:
            seconds = time.monotonic() - self._started
            csv.writer(file).writerow([f"{seconds:.1f}", f"{usage.resident_mb:.1f}", *usage[1:]])

    def tenths(self) -> list[Usage]:
        """Return the medians of each tenth of the time."""
        count = len(self._samples)
        parts = [self._samples[n * count // 10 : (n + 1) * count // 10] for n in range(10)]
        assert all(parts), "too few samples to tell anything"
        return [Usage(*map(median, zip(*part, strict=True))) for part in parts]

    def growth(self) -> Usage:
        """Return what the last tenth takes more than the second; the first is the warm-up."""
        tenths = self.tenths()
        return Usage(*(late - early for early, late in zip(tenths[1], tenths[-1], strict=True)))
