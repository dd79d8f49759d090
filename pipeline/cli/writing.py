"""Files that the user names on the command line."""

from pathlib import Path

from pipeline.errors import ConfigurationError


def write_text(path: Path, text: str) -> None:
    """Write a file, over one that is there.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None
