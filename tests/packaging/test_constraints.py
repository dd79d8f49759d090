"""constraints.txt pins everything that `make setup` installs, and nothing else."""

import re
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
LINES = [
    line for line in (PROJECT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")
]


def needed(name: str, extra: str = "") -> set[str]:
    """Every package that a package needs, itself included, with the extras that are asked for."""
    found: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), extra)]
    while waiting:
        current, asked = waiting.pop()
        if (current, asked) in found:
            continue
        found.add((current, asked))
        for line in distribution(current).requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": asked}):
                wanted = canonicalize_name(requirement.name)
                waiting += [(wanted, one) for one in {"", *requirement.extras}]
    return {current for current, _ in found}


def test_everything_that_is_installed_is_pinned() -> None:
    pinned = {canonicalize_name(line.partition("==")[0]) for line in LINES}
    assert needed("cio-pipeline", "dev") - {"cio-pipeline"} <= pinned, "see CONTRIBUTING.md, Versions"


def test_each_line_is_one_exact_version_and_no_address() -> None:
    for line in LINES:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line
