"""The state of a pipeline as plain data: what /api/status answers, the page draws and `status` prints."""

from collections.abc import Mapping
from dataclasses import asdict
from math import inf
from typing import Any

from pipeline import __version__
from pipeline.histogram import HistogramPicture
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.tally import Tally


def status_document(tally: Tally, status: EngineStatus) -> dict[str, Any]:
    """Return tally and status as plain data for JSON. Numbers add up over workers; `histograms` since the start."""
    picture = asdict(status)
    picture["partitions"] = [_partition(partition) for partition in status.partitions]
    histograms = {name: _histogram(found) for name, found in pictures(tally).items()}
    return {"version": __version__, **picture, "counts": _counts(tally), "histograms": histograms}


def pictures(tally: Tally) -> dict[str, HistogramPicture]:
    """Return every histogram of a tally by its name in /api/status."""
    measures = tally.measures
    return {
        "request_seconds": measures.request_seconds.picture(),
        "seconds_since_written": measures.since_written.picture(),
        "seconds_since_read": measures.since_read.picture(),
        "batch_items_fill": measures.items_fill.picture(),
        "request_bytes_fill": measures.bytes_fill.picture(),
    }


def picture_of(document: Mapping[str, Any]) -> HistogramPicture:
    """Return the histogram of a document; a sum of several workers' is one too."""
    buckets = tuple((float(bound), count) for bound, count in document["buckets"].items())
    return HistogramPicture(buckets, document["total"])


def _partition(partition: PartitionStatus) -> dict[str, Any]:
    return {
        "topic": partition.topic_partition.topic,
        "partition": partition.topic_partition.partition,
        "position": partition.position,
        "settled": partition.settled,
        "committed": partition.committed,
        "end": partition.end,
        "lag": partition.lag,
        "lag_seconds": partition.lag_seconds,
        "retention_left_seconds": partition.retention_left_seconds,
    }


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "records": sum(dict(tally.records).values()),
        "settled": sum(dict(tally.settled).values()),
        "skipped": dict(tally.skipped),
        "unmatched": dict(tally.unmatched),
        "calls": dict(tally.calls),
        "delivered": dict(tally.delivered),
        "dead_letters": dict(tally.dead_letters),
        "requests": dict(tally.requests),
        "retries": dict(tally.retries),
        "request_bytes": tally.request_bytes,
        "request_seconds": tally.request_seconds,
        "rebalances": dict(tally.rebalances),
        "commits": dict(tally.commits),
        "reloads": dict(tally.reloads),
        "clamped_timestamps": tally.clamped_timestamps,
    }


def _histogram(picture: HistogramPicture) -> dict[str, Any]:
    buckets = {"Infinity" if bound == inf else f"{bound:g}": count for bound, count in picture.buckets}
    return {"count": picture.count, "total": picture.total, "buckets": buckets}
