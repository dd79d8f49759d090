"""Secrets: shown to nobody, and read again when they may have been rotated."""

from pathlib import Path
from typing import Self

from pydantic import SecretStr

from pipeline.errors import ConfigurationError


class Secret:
    """A value that is given outright or kept in a file, from which it is read at each use."""

    __slots__ = ("_file", "_value")

    def __init__(self, value: str | None = None, file: Path | None = None) -> None:
        self._value = value
        self._file = file

    @classmethod
    def of(cls, value: SecretStr | None, file: Path | None) -> Self:
        """Make a secret of the two ways a setting can give it."""
        return cls(None if value is None else value.get_secret_value(), file)

    def reveal(self) -> str:
        """Return the value as it is now, without white space around it.

        Raises:
            ConfigurationError: the file cannot be read or is empty, or there is no secret at all.
        """
        if self._file is None:
            if self._value is None:
                raise ConfigurationError("a secret is not set")
            return self._value
        try:
            value = self._file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigurationError(f"{self._file}: cannot read the secret: {cause}") from None
        if not value:
            raise ConfigurationError(f"{self._file}: the secret is empty")
        return value

    def __repr__(self) -> str:
        return "Secret(***)" if self._file is None else f"Secret(file={str(self._file)!r})"
