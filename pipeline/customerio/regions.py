"""Where an account lives."""

from enum import StrEnum
from urllib.parse import urlsplit

from pipeline.errors import ConfigurationError


class Region(StrEnum):
    """The two places of Customer.io, and the wish to be told."""

    US = "us"
    EU = "eu"
    AUTO = "auto"


BASE_URLS = {
    Region.US: "https://track.customer.io",
    Region.EU: "https://track-eu.customer.io",
}
"""The hosts of the Track API (its OpenAPI document, servers)."""


def base_url_for(region: Region, base_url: str | None = None) -> str:
    """Return where requests go: `base_url` when there is one, else the region's host.

    For `auto` this is the US host, which tells the region of any account: see `TrackClient.ask_region`.

    Raises:
        ConfigurationError: `base_url` is no HTTP address.

    """
    if base_url is None:
        return BASE_URLS[Region.US if region is Region.AUTO else region]
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("customerio.base_url must be an address such as https://track.customer.io")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError("customerio.base_url must hold no credentials, no query and no fragment")
    return base_url.rstrip("/")
