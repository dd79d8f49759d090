"""Settings of the deletion receipts."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.fields import NotBlank, Section
from pipeline.config.secrets import Secret


class ReceiptSettings(Section):
    """Proof of deletions: a line for each destroy and suppress that Customer.io has accepted."""

    file: Annotated[
        Path | None,
        Field(
            description="A file of JSON lines; each receipt is on disk before its record's offset is committed. `null`"
            " for none."
        ),
    ] = None
    person: Annotated[
        Literal["plain", "hashed"],
        Field(
            description="How a receipt names the person: as the call did, or by an HMAC-SHA256 under `hash_key`, which"
            " `cio-pipeline receipts --person` can still find."
        ),
    ] = "plain"
    hash_key: Annotated[
        NotBlank | None, Field(description="The key of hashed names; who has lost it finds nobody any more.")
    ] = None
    hash_key_file: Annotated[Path | None, Field(description="A file that holds the key.")] = None

    @property
    def hash_key_secret(self) -> Secret:
        """The key, wherever it is kept."""
        return Secret.of(self.hash_key, self.hash_key_file)

    @property
    def has_hash_key(self) -> bool:
        """Whether there is a key."""
        return self.hash_key is not None or self.hash_key_file is not None
