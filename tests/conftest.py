"""Which tests run: everyday ones by default, everything with CIO_TEST=all, the minutes-long ones by name.

- default: `full` and `slow` are left out; a missing tool (a JDK, a browser) skips with a reason.
- CIO_TEST=all: `full` too, and a missing tool is a failure.
- CIO_TEST=slow or `-m slow`: the minutes-long ones.
"""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_start_afresh() -> Iterator[None]:
    """Forget how a test set logs up: the stream that it captured is closed when it is over."""
    handlers = logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


pytest_plugins = ["tests.servers.fixtures"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for."""
    asked = os.environ.get("CIO_TEST", "")
    by_marker = str(config.getoption("-m"))
    left_out = set()
    if asked != "slow" and "slow" not in by_marker:
        left_out.add("slow")
    if asked not in {"all", "slow"} and "full" not in by_marker:
        left_out.add("full")
    kept = [item for item in items if not any(item.get_closest_marker(name) for name in left_out)]
    if asked == "slow":
        kept = [item for item in kept if item.get_closest_marker("slow")]
    dropped = [item for item in items if item not in set(kept)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept
