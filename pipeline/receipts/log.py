"""The file of receipts: appended to by every process that deletes, never changed, read line by line."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pipeline.append_only import AppendOnlyFile, Purpose
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.receipts.receipt import NotAReceiptError, Receipt, from_line, to_line


class ReceiptsUnavailableError(PipelineError):
    """Receipts cannot be written now; nothing may be settled on the strength of them."""


RECEIPT_FILE = Purpose("receipts", "receipts.file", ReceiptsUnavailableError)


class ReceiptLog:
    """Receipts in a file of JSON lines, on the disk when `keep` returns.

    Raises:
        ConfigurationError: the file cannot be opened for writing.
    """

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._file = AppendOnlyFile(path, RECEIPT_FILE, sync=sync)

    def keep(self, receipts: Iterable[Receipt]) -> None:
        """Write receipts and sync them.

        Raises:
            ReceiptsUnavailableError: they could not be written; the file is as before.
        """
        self._file.append(b"".join(to_line(receipt) for receipt in receipts))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_receipts(path: Path) -> Iterator[tuple[int, Receipt | NotAReceiptError]]:
    """Yield the number of each line and the receipt that it holds, or why it holds none.

    Raises:
        ConfigurationError: the file is missing or may not be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _read(line)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the receipts file {path}: {error.strerror}; set receipts.file or give --file"
        ) from None


def _read(line: bytes) -> Receipt | NotAReceiptError:
    try:
        return from_line(line)
    except NotAReceiptError as error:
        return error
