"""The figures of a chaos run in one line, shown at the end of the test session whatever became of the test."""

from collections.abc import Mapping

from tests.chaos.harness.oracle import Report

PROPERTY = "figures of the run"
"""The name under which a test records them."""


def figures(
    report: Report, faults: Mapping[str, int], longest_stall_s: float, seed: int | None = None
) -> str:
    """Return what happened: `faults` by kind, the rest as the oracle found it."""
    begun = ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items())) or "none"
    return "; ".join(
        [
            *([] if seed is None else [f"CIO_SEED={seed}"]),
            f"records {report.records:,}",
            f"faults {sum(faults.values())} ({begun})",
            f"lost {len(report.lost)}",
            f"counted twice {report.counted_twice}",
            f"sent again {report.sent_again:,} of {report.calls:,} calls",
            f"longest stall {longest_stall_s:.1f} s",
            f"order violations {len(report.out_of_order)}",
            f"requests that came late {len(report.late_requests)}",
            f"destroyed people that differ {len(report.differing_destroyed)}",
        ]
    )
