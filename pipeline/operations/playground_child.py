"""The process in which rules are tried out: without the environment, without files to write, with little memory.

`python -m pipeline.operations.playground_child`, started by `HelperProcess` and by nobody else.
"""

import resource
import sys
from typing import Any

from pipeline.operations.helper_process import limit_resources, serve
from pipeline.operations.playground import try_out, ways_of

_MOST_MEMORY = 1_500_000_000  # of addresses, of which an interpreter with its libraries takes a third
_LIMITS = (
    (resource.RLIMIT_AS, _MOST_MEMORY),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NPROC, 0),
)


def main() -> None:
    """Answer until nobody asks any more."""
    limit_resources(_LIMITS)
    serve(_answer, sys.stdin.buffer)


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    return try_out(question["asked"], ways_of(question["ways"]))


if __name__ == "__main__":
    main()
