"""Who the pipeline is to Customer.io."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """The Site ID and the Track API key of a workspace; neither shows in a repr."""

    site_id: str = field(repr=False)
    api_key: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """The value of the Authorization header (HTTP Basic)."""
        return "Basic " + b64encode(f"{self.site_id}:{self.api_key}".encode()).decode("ascii")


CredentialSource = Callable[[], Credentials]
"""Gives the credentials of this moment: asked again after a 401, so that a rotated key is picked up."""
