"""What a test needs of the machine: missing, it skips with a reason; in the full suite it fails."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test because `what` is missing; fail it in the full suite, where everything must be there."""
    if os.environ.get("CIO_TEST") == "all":
        pytest.fail(f"{what}; the full suite needs it")
    pytest.skip(what)
