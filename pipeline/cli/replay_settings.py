"""The configuration of a replay: that of the live pipeline, with what was asked on the command line over it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from pydantic import SecretStr

from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.config import Settings, load_settings
from pipeline.config.receipts import ReceiptSettings
from pipeline.customerio.credentials import Credentials
from pipeline.documents import DocumentError
from pipeline.errors import ConfigurationError

_CREDENTIALS = ("CIO_PIPELINE__CUSTOMERIO__SITE_ID", "CIO_PIPELINE__CUSTOMERIO__API_KEY")


def replay_settings(arguments: ReplayArguments) -> Settings:
    """Read the configuration, with the mapping that was asked for. A trial run does without credentials.

    Raises:
        ConfigurationError: with every problem.
    """
    return for_replay(live_settings(arguments), arguments)


def live_settings(arguments: ReplayArguments) -> Settings:
    """Read the configuration of the live pipeline. A trial run does without credentials.

    Raises:
        ConfigurationError: with every problem.
    """

    def load(environment: dict[str, str]) -> Settings:
        return load_settings(
            arguments.path, environment, warn=lambda problem: click.echo(str(problem), err=True)
        )

    return without_credentials(load) if arguments.is_trial else load(dict(os.environ))


def for_replay(settings: Settings, arguments: ReplayArguments) -> Settings:
    """Return the live pipeline's settings with what was asked on the command line over them."""
    if arguments.mapping:
        settings = with_mapping(settings, arguments.mapping)
    return _with_rate(arguments, settings)


def with_mapping(settings: Settings, files: Sequence[Path]) -> Settings:
    """Return the settings with other mapping files."""
    mapping = settings.mapping.model_copy(update={"files": tuple(path.absolute() for path in files)})
    return settings.model_copy(update={"mapping": mapping})


def _with_rate(arguments: ReplayArguments, settings: Settings) -> Settings:
    """Take the replay's part of the requests a second: the live pipeline keeps the rest."""
    rate = settings.delivery.rate
    if arguments.rate is None:
        update = {"share": settings.replay.share if arguments.share is None else arguments.share}
    else:
        update = {"requests_per_second": arguments.rate, "share": 1.0}
    delivery = settings.delivery.model_copy(update={"rate": rate.model_copy(update=update)})
    return settings.model_copy(update={"delivery": delivery})


def without_credentials(load: Callable[[dict[str, str]], Settings]) -> Settings:
    """Return what `load` makes of the environment, which need not hold the credentials of Customer.io.

    Raises:
        ConfigurationError: with every problem.
    """
    try:
        return load(dict(os.environ))
    except DocumentError as error:
        try:
            return load({**os.environ, **dict.fromkeys(_CREDENTIALS, "unused")})
        except DocumentError:
            raise error from None


def sent_to(settings: Settings, base_url: str, credentials: Credentials) -> Settings:
    """Return the settings with another receiver."""
    update = {
        "base_url": base_url,
        "site_id": SecretStr(credentials.site_id),
        "site_id_file": None,
        "api_key": SecretStr(credentials.api_key),
        "api_key_file": None,
    }
    # What a sandbox accepts deletes nobody: it leaves no receipt.
    return settings.model_copy(
        update={
            "customerio": settings.customerio.model_copy(update=update),
            "receipts": ReceiptSettings(),
        }
    )


def topic_of(arguments: ReplayArguments, settings: Settings) -> str:
    """Return the topic to read: the one named, else the one that the live pipeline reads.

    Raises:
        ConfigurationError: there is no telling which.
    """
    if arguments.topic is not None:
        return arguments.topic
    topics = settings.kafka.topics
    if len(topics) != 1 or topics[0].startswith("^"):
        raise ConfigurationError(f"say which topic to replay: --topic, one of {', '.join(topics)}")
    return topics[0]
