"""One at a time: who works on a file of dead letters keeps others of its kind out."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ConfigurationError


@contextmanager
def exclusive(paths: Iterable[Path], who: str) -> Iterator[None]:
    """Keep others that say the same out while the block lasts, by a lock file beside each path. `who` names them.

    Raises:
        ConfigurationError: another process is in, or a lock file cannot be written.
    """
    descriptors: list[int] = []
    try:
        for path in paths:
            lock = path.with_name(f"{path.name}.lock")
            try:
                descriptors.append(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600))
                fcntl.flock(descriptors[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(f"{who} of {path} is running already; wait for its end") from None
            except OSError as error:
                raise ConfigurationError(f"cannot write {lock}: {error.strerror}") from None
        yield
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
