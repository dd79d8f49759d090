"""`cio-pipeline call raw`: any request to Customer.io's API, with every input of the connector."""

import asyncio
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import click
import orjson
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
)

from pipeline.cli.call_connection import Connection, connection_of, require_credentials, with_connection
from pipeline.cli.call_inputs import read_file, read_json, split_pair
from pipeline.cli.call_outcome import show_verdict
from pipeline.cli.call_sending import open_client
from pipeline.customerio.client import Answer, TrackClient
from pipeline.customerio.raw import RawFile, RawRequest, ResponseType, read_raw_request
from pipeline.customerio.regions import base_url_for
from pipeline.customerio.verdicts import Delivered, Retry, Verdict
from pipeline.errors import ConfigurationError, ExitStatus

Attempt = tuple[Verdict, Answer | None]


@click.command()
@click.argument("method")
@click.argument("path")
@click.option("--data", metavar="JSON|@FILE", help="The JSON body.")
@click.option("--form", multiple=True, metavar="NAME=VALUE", help="A field of multipart form data.")
@click.option("--file", "files", multiple=True, metavar="NAME=PATH", help="A file of multipart form data.")
@click.option(
    "--file-name", "names", multiple=True, metavar="NAME=FILENAME", help="The name a file is sent under."
)
@click.option("--query", multiple=True, metavar="KEY=VALUE", help="A query parameter.")
@click.option("--header", multiple=True, metavar="NAME:VALUE", help="A header; not Authorization.")
@click.option(
    "--response-type",
    type=click.Choice([str(kind) for kind in ResponseType]),
    default="json",
    show_default=True,
)
@click.option("--debug", is_flag=True, help="Describe the request on stderr, without its secrets.")
@click.option("--retry-delay-ms", type=int, default=0, show_default=True, help="Wait between attempts.")
@click.option("--retry-on-all-errors", is_flag=True, help="Try again also after an answer that refuses.")
@click.option(
    "--max-retry-count", type=int, default=0, show_default=True, help="Attempts after the first one."
)
@click.option(
    "--exponential-backoff", is_flag=True, help="Double the delay (at least 100 ms) after each attempt."
)
@with_connection
def raw(**options: Any) -> int:
    """Send METHOD to PATH, which starts after /api: raw GET /v1/accounts/region."""
    timeout: float | None = options["timeout"]
    debug: bool = options.pop("debug")
    connection = connection_of(options)
    request = _request(options, timeout)
    if debug or connection.dry_run:
        _describe(connection, request, to_stderr=not connection.dry_run)
    if connection.dry_run:
        return ExitStatus.DONE
    require_credentials(connection)
    verdict, answer = asyncio.run(_send(connection, request))
    if answer is None:
        return show_verdict(connection, verdict)
    if connection.as_json:
        body = _body(request.response_type, answer.body)
        return show_verdict(connection, verdict, status=answer.status, body=body)
    _show_answer(request.response_type, answer)
    return ExitStatus.DONE if isinstance(verdict, Delivered) else show_verdict(connection, verdict)


def _request(options: dict[str, Any], timeout: float | None) -> RawRequest:
    names = dict(split_pair(entry, "--file-name") for entry in options.pop("names"))
    document = {
        "form": [split_pair(entry, "--form") for entry in options.pop("form")],
        "files": tuple(_file(entry, names) for entry in options.pop("files")),
        "query": [split_pair(entry, "--query") for entry in options.pop("query")],
        "headers": [split_pair(entry, "--header", ":") for entry in options.pop("header")],
        "timeout_seconds": timeout,
    }
    data = options.pop("data")
    if data is not None:
        document["body"] = read_json(data, "--data")
    request = read_raw_request({**document, **options})
    if isinstance(request, str):
        raise ConfigurationError(f"the request cannot be sent: {request}")
    return request


def _file(entry: str, names: dict[str, str]) -> RawFile:
    field, path = split_pair(entry, "--file")
    return RawFile(field, names.get(field, Path(path).name), read_file(path, "--file"))


async def _send(connection: Connection, request: RawRequest) -> Attempt:
    """Make attempts until one is taken or there are no more."""

    def again(attempt: Attempt) -> bool:
        verdict, _ = attempt
        return isinstance(verdict, Retry) or (
            request.retry_on_all_errors and not isinstance(verdict, Delivered)
        )

    async with open_client(connection) as client:
        if not isinstance(client, TrackClient):
            return client, None
        retrying = AsyncRetrying(
            stop=stop_after_attempt(1 + request.max_retry_count),
            wait=lambda state: request.retry_wait_s(state.attempt_number),
            retry=retry_if_result(again),
            retry_error_callback=_last,
        )
        attempt: Attempt = await retrying(client.send_raw, request)
        return attempt


def _last(state: RetryCallState) -> Attempt:
    assert state.outcome is not None
    attempt: Attempt = state.outcome.result()
    return attempt


def _describe(connection: Connection, request: RawRequest, *, to_stderr: bool) -> None:
    """Say what is sent; values that may be secret or personal are left out of the log, not out of a dry run."""
    url = f"{base_url_for(connection.region, connection.base_url)}/api{request.path}"
    shown = {**request.described(), "url": url}
    if not to_stderr:
        shown |= {
            "query": request.query,
            "headers": request.headers,
            "form": request.form,
            "body": request.body,
        }
    click.echo(orjson.dumps(shown), err=to_stderr)


def _show_answer(response_type: ResponseType, answer: Answer) -> None:
    if response_type is ResponseType.BINARY:
        sys.stdout.buffer.write(answer.body)
    elif response_type is ResponseType.TEXT:
        click.echo(answer.body.decode("utf-8", "replace"))
    else:
        click.echo(orjson.dumps(_body(response_type, answer.body), option=orjson.OPT_INDENT_2))


def _body(response_type: ResponseType, body: bytes) -> object:
    """Return a body for JSON; one that should be JSON and is not is shown as the text it is."""
    if response_type is ResponseType.BINARY:
        return b64encode(body).decode("ascii")
    text = body.decode("utf-8", "replace")
    if response_type is ResponseType.TEXT or not body:
        return text
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return text
