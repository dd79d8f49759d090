"""`cio-pipeline call`: one call to Customer.io by hand."""

import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pipeline.calls import COUNTED_KINDS, Call, CallKind, CallSource, Identity, IdentityKind
from pipeline.cli.call_connection import connection_of, with_connection
from pipeline.cli.call_inputs import read_data, read_identity
from pipeline.cli.call_raw import raw
from pipeline.cli.call_sending import send_call
from pipeline.event_id import derived_event_id, is_ulid

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def call() -> None:
    """Send one call to Customer.io by hand.

    Exit status: 0 delivered; 1 not delivered, but another try may be; 2 the call or the command line is wrong;
    4 Customer.io refuses it.
    """


call.add_command(raw)


def _who(
    prefix: str = "", kinds: tuple[IdentityKind, ...] = tuple(IdentityKind)
) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for kind in reversed(kinds):
            name = f"{prefix}{kind}"
            command = click.option(f"--{name.replace('_', '-')}", name, help=f"Name the person by {kind}.")(
                command
            )
        return command

    return decorate


_data = click.option("--data", multiple=True, metavar="KEY=VALUE|@FILE", help="May be given several times.")
_timestamp = click.option("--timestamp", type=float, help="Unix seconds.  [default: now]")
_event_id = click.option(
    "--event-id", help="A ULID: an event that repeats one is not counted.  [default: random]"
)


@call.command()
@_who()
@_data
@_timestamp
@with_connection
def identify(**options: Any) -> int:
    """Create or update a person."""
    return _send(CallKind.IDENTIFY, options)


@call.command()
@_who()
@click.option("--name", required=True, help="What happened.")
@_data
@_timestamp
@_event_id
@with_connection
def track(**options: Any) -> int:
    """Track an event of a person."""
    return _send(CallKind.TRACK, options)


@call.command()
@_who()
@click.option("--url", "name", required=True, help="The page, or an asterisk for any page.")
@_data
@_timestamp
@_event_id
@with_connection
def page(**options: Any) -> int:
    """Track a page view of a person."""
    return _send(CallKind.PAGE, options)


@call.command()
@_who()
@click.option("--name", required=True, help="The screen.")
@_data
@_timestamp
@_event_id
@with_connection
def screen(**options: Any) -> int:
    """Track a screen view of a person."""
    return _send(CallKind.SCREEN, options)


@call.command()
@_who()
@with_connection
def destroy(**options: Any) -> int:
    """Delete a person."""
    return _send(CallKind.DESTROY, options)


@call.command()
@_who()
@with_connection
def suppress(**options: Any) -> int:
    """Delete a person and ignore every later call about them."""
    return _send(CallKind.SUPPRESS, options)


@call.command()
@_who()
@with_connection
def unsuppress(**options: Any) -> int:
    """End the suppression of a person."""
    return _send(CallKind.UNSUPPRESS, options)


_MERGEABLE = (IdentityKind.ID, IdentityKind.CIO_ID, IdentityKind.EMAIL)


@call.command()
@_who(kinds=_MERGEABLE)
@_who("secondary_", _MERGEABLE)
@with_connection
def merge(**options: Any) -> int:
    """Merge the secondary person into another, and delete the secondary one."""
    return _send(CallKind.MERGE, options, secondary=read_identity(options, "secondary_"))


@call.command()
@_who()
@click.option("--token", required=True, help="The device's token.")
@click.option("--platform", type=click.Choice(["ios", "android"]), required=True)
@click.option("--last-used", type=int, help="Unix seconds.")
@_data
@with_connection
def add_device(**options: Any) -> int:
    """Add or update a device of a person; --data gives its attributes."""
    device = {name: options.pop(name) for name in ("token", "platform", "last_used")}
    device["attributes"] = read_data(options.pop("data")) or None
    return _send(CallKind.ADD_DEVICE, options, device=device)


@call.command()
@_who()
@click.option("--token", required=True, help="The device's token.")
@with_connection
def delete_device(**options: Any) -> int:
    """Delete a device of a person."""
    return _send(CallKind.DELETE_DEVICE, options, device={"token": options.pop("token")})


@call.command()
@_who()
@click.option("--object-type-id", required=True)
@click.option("--object-id", required=True)
@click.option("--delete", is_flag=True, help="Delete the relation instead of adding it.")
@_data
@with_connection
def relate(**options: Any) -> int:
    """Relate a person to an object; --data gives the relation's attributes."""
    relationship: dict[str, Any] = {
        "identifiers": {name: options.pop(name) for name in ("object_type_id", "object_id")}
    }
    attributes = read_data(options.pop("data"))
    if attributes:
        relationship["relationship_attributes"] = attributes
    action = "delete" if options.pop("delete") else "add"
    return _send(CallKind.RELATE, options, relationships=[relationship], action=action)


def _send(kind: CallKind, options: dict[str, Any], secondary: Identity | None = None, **extra: Any) -> int:
    connection = connection_of(options)
    source = CallSource("call", kind, options.get("name"))
    made = Call(
        source,
        read_identity(options),
        read_data(options.get("data", ())),
        name=options.get("name"),
        timestamp=_timestamp_of(options),
        secondary=secondary,
        options=extra,
    )
    return send_call(connection, made, _event_id_of(source, options))


def _timestamp_of(options: dict[str, Any]) -> float | None:
    """Return the time that was given, or now for a call that carries one; whole seconds stay whole numbers."""
    if "timestamp" not in options:
        return None
    given: float | None = options["timestamp"]
    if given is None:
        return int(time.time())
    return int(given) if given.is_integer() else given


def _event_id_of(source: CallSource, options: dict[str, Any]) -> str | None:
    if source.kind not in COUNTED_KINDS:
        return None
    given: str | None = options["event_id"]
    if given is None:
        return derived_event_id("call", secrets.token_hex(), source)
    if not is_ulid(given):
        raise click.BadParameter(
            "not a ULID: 26 letters and digits, the first at most 7", param_hint="--event-id"
        )
    return given
