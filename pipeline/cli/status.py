"""`cio-pipeline status`: how a running pipeline is doing, and how far its group is when nothing runs."""

import json
import os
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import click

from pipeline.cli.asking import ask_directly
from pipeline.cli.config_option import config_option
from pipeline.errors import ConfigurationError, ExitStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config import Settings
    from pipeline.kafka.progress import PartitionProgress
    from pipeline.status import PartitionStatus

ASK_TIMEOUT_S = 5.0
AGES_TIMEOUT_S = 2.0
TOKEN_VARIABLE = "CIO_PIPELINE__ADMIN__TOKEN"  # noqa: S105 - where it is, not what it is


@click.command()
@config_option("The configuration: where the pipeline listens, and which group and topics it reads.")
@click.option("--admin", metavar="HOST:PORT", help="Where the pipeline listens, if not at admin.listen.")
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def status(*, path: Path, admin: str | None, watch: bool, as_json: bool) -> int:
    """Show the state of a running pipeline; when none answers, ask Kafka how far its group is.

    Exit status 0 means running and ready, 1 anything else.
    """
    if watch and as_json:
        raise click.UsageError("--watch is for people and --json for programs; choose one.")
    document = ask(path, admin)
    if as_json:
        click.echo(json.dumps(document))
    else:
        _show(document, path, admin, watch)
    return ExitStatus.DONE if document["running"] and document["ready"] else ExitStatus.FAILED


def ask(path: Path, admin: str | None) -> dict[str, Any]:
    """Return the status of the pipeline that listens, else of the group, as plain data.

    Raises:
        PipelineError: neither a pipeline nor Kafka answers.
    """
    settings = None if admin is not None else _settings(path)
    address = admin if settings is None else settings.admin.listen
    running = None if address is None else _running(address, _token(settings))
    if running is not None:
        return {"running": True, **running}
    return _of_group(settings or _settings(path), address)


def _settings(path: Path) -> "Settings":
    from pipeline.config import load_settings  # noqa: PLC0415 - keeps `--help` fast

    return load_settings(path, os.environ)


def _token(settings: "Settings | None") -> str | None:
    """Return the token to show; without a configuration the environment may have it."""
    from pipeline.config import Secret  # noqa: PLC0415 - keeps `--help` fast

    if settings is not None:
        secret = settings.admin.token_secret
        return None if secret is None else secret.reveal()
    file = os.environ.get(f"{TOKEN_VARIABLE}_FILE")
    return os.environ.get(TOKEN_VARIABLE) if file is None else Secret(file=Path(file)).reveal()


def _running(address: str, token: str | None) -> dict[str, Any] | None:
    """Return what the pipeline says, None when nobody listens there."""
    url = f"http://{_reachable(address)}/api/status"
    try:
        document: dict[str, Any] = json.loads(ask_directly(url, timeout_s=ASK_TIMEOUT_S, token=token))
    except (HTTPError, ValueError) as error:
        if isinstance(error, HTTPError) and error.code == HTTPStatus.UNAUTHORIZED:
            raise ConfigurationError(
                f"{address} asks for a token; set admin.token, or {TOKEN_VARIABLE}"
            ) from None
        raise ConfigurationError(
            f"{address} answers, but is no cio-pipeline; set --admin or admin.listen"
        ) from None
    except OSError:
        return None
    return document


def _reachable(address: str) -> str:
    """A server that listens everywhere listens on loopback too."""
    host, _, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host == "0.0.0.0" else address  # noqa: S104 - it is read, not opened


def _of_group(settings: "Settings", address: str | None) -> dict[str, Any]:
    from pipeline.kafka.progress import group_progress  # noqa: PLC0415 - keeps `--help` fast

    kafka = settings.kafka
    found = [
        each
        for topic in kafka.topics
        for each in group_progress(kafka.bootstrap_servers, kafka.group_id, topic, kafka.client_properties())
    ]
    partitions = [
        {
            "topic": each.topic,
            "partition": each.partition,
            "committed": each.committed,
            "end": each.end,
            "lag": each.lag,
            "lag_seconds": aged.lag_seconds,
            "retention_left_seconds": aged.retention_left_seconds,
        }
        for each, aged in zip(found, _aged(settings, found), strict=True)
    ]
    return {"running": False, "admin": address, "group": kafka.group_id, "partitions": partitions}


def _aged(settings: "Settings", found: "Sequence[PartitionProgress]") -> "Sequence[PartitionStatus]":
    """Return how late each partition is, and the time its topic leaves."""
    from pipeline.cli.assembly import kafka_options  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.kafka.age_watch import look_once  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.kafka.ages import RecordAges  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.records import TopicPartition  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.status import PartitionStatus  # noqa: PLC0415 - keeps `--help` fast

    ages = RecordAges(kafka_options(settings), timeout_s=AGES_TIMEOUT_S)
    try:
        partitions = [
            PartitionStatus(
                TopicPartition(each.topic, each.partition), committed=each.committed, end=each.end
            )
            for each in found
        ]
        return look_once(ages, partitions, time.time())
    finally:
        ages.close()


def _show(document: dict[str, Any], path: Path, admin: str | None, watch: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast
    from rich.live import Live  # noqa: PLC0415 - keeps `--help` fast

    from pipeline.operations.status_view import status_view  # noqa: PLC0415 - keeps `--help` fast

    if not watch:
        Console().print(status_view(document))
        return
    with Live(status_view(document), auto_refresh=False, screen=False) as live:
        while True:
            time.sleep(2)
            live.update(status_view(ask(path, admin)), refresh=True)
