"""What `cio-pipeline call` shows of a request and of its verdict, and the exit status that follows."""

from collections.abc import Iterable

import click
import orjson

from pipeline.cli.call_connection import Connection
from pipeline.customerio.requests import HttpRequest
from pipeline.customerio.verdicts import (
    Delivered,
    Fatal,
    PartlyDelivered,
    Refusal,
    Refused,
    Retry,
    TooLarge,
    Verdict,
)
from pipeline.errors import ExitStatus


def show_request(connection: Connection, base_url: str, request: HttpRequest) -> int:
    """Print what would be sent; credentials are not shown."""
    url = base_url + request.path
    body = None if request.body is None else orjson.loads(request.body)
    if connection.as_json:
        _print_json({"method": request.method, "url": url, "body": body})
    else:
        click.echo(f"{request.method} {url}")
        if body is not None:
            click.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    return ExitStatus.DONE


def show_verdict(
    connection: Connection, verdict: Verdict, event_id: str | None = None, **more: object
) -> int:
    """Print what became of the call, with Customer.io's own words, and return the exit status.

    `more` is part of the JSON object, where one is printed.
    """
    name, sentences, status = _outcome(verdict)
    if connection.as_json:
        shown: dict[str, object] = {"outcome": name, "messages": sentences, **more}
        _print_json(shown if event_id is None else {**shown, "event_id": event_id})
    else:
        click.echo("; ".join([name, *sentences]), err=status is not ExitStatus.DONE)
        if event_id is not None:
            click.echo(f"event id {event_id}")
    return status


def _outcome(verdict: Verdict) -> tuple[str, list[str], ExitStatus]:
    match verdict:
        case Delivered():
            return "delivered", [], ExitStatus.DONE
        case Retry():
            unknown = ["it may have been applied"] if verdict.outcome_unknown else []
            return "not delivered, try again", [verdict.cause, *unknown], ExitStatus.FAILED
        case Fatal():
            return "not delivered", [verdict.cause, verdict.advice], ExitStatus.REFUSED
        case TooLarge(refusal):
            return "refused, too large", _words([refusal]), ExitStatus.REFUSED
        case Refused(refusals):
            return "refused", _words(refusals), ExitStatus.REFUSED
        case PartlyDelivered(refused, unplaced):
            return "refused", _words([*refused.values(), *unplaced]), ExitStatus.REFUSED


def _words(refusals: Iterable[Refusal]) -> list[str]:
    return [f"{refusal.field}: {refusal.text}" if refusal.field else refusal.text for refusal in refusals]


def _print_json(document: object) -> None:
    click.echo(orjson.dumps(document))
