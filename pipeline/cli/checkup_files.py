"""Whether the files that a run writes can be written."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.cli.checkup_findings import Finding, failed, passed
from pipeline.config import Settings


def file_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what is to be said of the files that are only there when they were asked for."""
    if settings.receipts.file is not None:
        yield writable("receipts", settings.receipts.file)
    if settings.people.unidentified != "send" or settings.people.new_profiles_per_day is not None:
        yield writable("known people", settings.people.known_file)


def writable(name: str, file: Path) -> Finding:
    """Look without touching: an empty file would say that there is something in it to look at."""
    place = file if file.exists() else file.parent
    if file.is_dir() or not place.exists():
        return failed(name, f"{file} cannot be written", f"make the folder {file.parent}")
    if not os.access(place, os.W_OK):
        return failed(name, f"{file} may not be written", f"let this user write {place}")
    return passed(name, f"{file} can be written")
