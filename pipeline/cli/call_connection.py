"""The connection of `cio-pipeline call`: which account, where, and what to show of it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.config import Secret, load_settings
from pipeline.customerio.credentials import Credentials
from pipeline.customerio.regions import Region
from pipeline.errors import ConfigurationError

Command = TypeVar("Command", bound=Callable[..., Any])

_PREFIX = "CIO_PIPELINE__CUSTOMERIO__"


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a call goes and as whom; `timeout_s` bounds an attempt."""

    site_id: Secret
    api_key: Secret
    region: Region
    base_url: str | None
    timeout_s: float
    always_v1: bool
    dry_run: bool
    as_json: bool

    def credentials(self) -> Credentials:
        """Return the credentials as they are now.

        Raises:
            ConfigurationError: there are none, or their file cannot be read.
        """
        return Credentials(self.site_id.reveal(), self.api_key.reveal())


_OPTIONS = (
    click.option(
        "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Connect as it says."
    ),
    click.option("--site-id", envvar=f"{_PREFIX}SITE_ID", help="The Site ID of the workspace."),
    click.option(
        "--api-key", envvar=f"{_PREFIX}API_KEY", help="Its Track API key; better given by the environment."
    ),
    click.option(
        "--site-id-file", type=click.Path(path_type=Path), envvar=f"{_PREFIX}SITE_ID_FILE", hidden=True
    ),
    click.option(
        "--api-key-file", type=click.Path(path_type=Path), envvar=f"{_PREFIX}API_KEY_FILE", hidden=True
    ),
    click.option(
        "--region",
        type=click.Choice([str(region) for region in Region]),
        envvar=f"{_PREFIX}REGION",
        help="Where the account lives; auto asks.  [default: us]",
    ),
    click.option("--base-url", envvar=f"{_PREFIX}BASE_URL", help="Another address, such as a sandbox's."),
    click.option(
        "--timeout", type=click.FloatRange(0, min_open=True), help="Seconds for an attempt.  [default: 30]"
    ),
    click.option(
        "--api", type=click.Choice(["v2", "v1"]), default="v2", show_default=True, help="Version of the API."
    ),
    click.option("--dry-run", is_flag=True, help="Show the request and send nothing."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)


def with_connection(command: Command) -> Command:
    """Give a command the connection's options; it reads them with `connection_of`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def connection_of(options: dict[str, Any]) -> Connection:
    """Take the connection's options out of a command's, over what the configuration file says.

    Raises:
        ConfigurationError: the file cannot be used, or there are no credentials.
    """
    path: Path | None = options.pop("config")
    given = None if path is None else load_settings(path, os.environ).customerio
    site_id = Secret.of(None, options.pop("site_id_file"))
    api_key = Secret.of(None, options.pop("api_key_file"))
    site_value, key_value = options.pop("site_id"), options.pop("api_key")
    if given is not None:
        site_id, api_key = given.site_id_secret, given.api_key_secret
    if site_value is not None:
        site_id = Secret(site_value)
    if key_value is not None:
        api_key = Secret(key_value)
    region = options.pop("region") or (given.region if given is not None else Region.US)
    return Connection(
        site_id,
        api_key,
        Region(region),
        options.pop("base_url") or (given.base_url if given is not None else None),
        options.pop("timeout") or (given.request_timeout_seconds if given is not None else 30.0),
        options.pop("api") == "v1",
        options.pop("dry_run"),
        options.pop("as_json"),
    )


def require_credentials(connection: Connection) -> None:
    """Say how credentials are given when there are none.

    Raises:
        ConfigurationError: there are none, or their file cannot be read.
    """
    try:
        connection.credentials()
    except ConfigurationError as error:
        if "not set" not in str(error):
            raise
        raise ConfigurationError(
            f"no credentials: set {_PREFIX}SITE_ID and {_PREFIX}API_KEY, or give --config, or --site-id and --api-key"
        ) from None
