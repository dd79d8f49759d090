"""An hour of steady work with a little of everything: memory, file descriptors and threads stay flat.

By name only. CIO_SOAK_SECONDS says how long (3600), CIO_SOAK_CURVE where the samples go as CSV.
"""

import os
import time
from pathlib import Path

import pytest

from tests.chaos.harness.curve import Usage
from tests.chaos.harness.soak import Observer, Soak
from tests.servers.apache_kafka import ApacheKafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ALLOWED = Usage(resident_mb=16.0, file_descriptors=8.0, threads=1.0)
"""Growth that is no leak: in an hour of 200 records a second 16 MB are 23 bytes a record, less than any object takes.
File descriptors are as many as connections are open at the moment."""


def test_an_hour_of_steady_work_leaves_memory_files_and_threads_flat(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    seconds = float(os.environ.get("CIO_SOAK_SECONDS", "3600"))
    path = Path(os.environ.get("CIO_SOAK_CURVE", tmp_path / "curve.csv"))
    pause_s = max(4.0, seconds / 30)
    with Soak(apache_kafka, tmp_path, seconds) as soak:
        with Observer(soak.pipeline, path) as observer:
            end = time.monotonic() + seconds
            happened = 0
            for event in soak.events():
                time.sleep(max(0.0, min(pause_s, end - time.monotonic())))
                if time.monotonic() >= end:
                    break
                print(event.__name__, flush=True)
                event()
                happened += 1
        for tenth in observer.curve.tenths():
            print(
                f"{tenth.resident_mb:.1f} MB, {tenth.file_descriptors:.0f} files, {tenth.threads:.0f} threads"
            )
        print(f"{happened} events, {observer.scrapes} scrapes, growth: {observer.curve.growth()}")
        soak.finish()
    assert observer.without_data == []
    assert all(grown <= allowed for grown, allowed in zip(observer.curve.growth(), ALLOWED, strict=True))
