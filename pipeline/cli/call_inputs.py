"""What a person types to `cio-pipeline call`, as values."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import orjson

from pipeline.calls import Identity, IdentityKind

_NO_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})


def read_data(entries: Iterable[str]) -> dict[str, Any]:
    """Join `key=value` entries and `@file.json` objects, later ones over earlier ones.

    A value is JSON where it is valid JSON (a number, an array, an object, a quoted string), else a text.

    Raises:
        click.BadParameter: an entry is neither, is a number that JSON does not have, or a file holds no JSON object.
    """
    data: dict[str, Any] = {}
    for entry in entries:
        if entry.startswith("@"):
            document = read_json_file(entry[1:], "--data")
            if not isinstance(document, dict):
                raise click.BadParameter(f"{entry[1:]} holds no JSON object", param_hint="--data")
            data |= document
        else:
            key, value = split_pair(entry, "--data")
            data[key] = _value(key, value)
    return data


def read_json(text: str, option: str) -> Any:
    """Return JSON that is typed, or read from `@file`.

    Raises:
        click.BadParameter: it is not valid JSON.
    """
    if text.startswith("@"):
        return read_json_file(text[1:], option)
    return _parse(text, option, "the value")


def read_json_file(name: str, option: str) -> Any:
    """Return the JSON of a file; `-` is stdin.

    Raises:
        click.BadParameter: it cannot be read or is not valid JSON.
    """
    return _parse(read_file(name, option), option, name)


def read_file(name: str, option: str) -> bytes:
    """Return the bytes of a file; `-` is stdin.

    Raises:
        click.BadParameter: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"cannot read {name}: {error.strerror}", param_hint=option) from None


def split_pair(entry: str, option: str, separator: str = "=") -> tuple[str, str]:
    """Split a key from its value.

    Raises:
        click.BadParameter: there is no key or no separator.
    """
    key, found, value = entry.partition(separator)
    if not found or not key.strip():
        raise click.BadParameter(f"{entry!r} is not KEY{separator}VALUE", param_hint=option)
    return key.strip(), value.strip() if separator == ":" else value


def read_identity(options: dict[str, Any], prefix: str = "") -> Identity:
    """Take the identity's options out of a command's.

    Raises:
        click.UsageError: there is not exactly one.
    """
    given = [(kind, options.pop(f"{prefix}{kind}", None)) for kind in IdentityKind]
    named = [Identity(kind, value) for kind, value in given if value is not None]
    if len(named) == 1:
        return named[0]
    start = f"--{prefix}".replace("_", "-")
    names = ", ".join(f"{start}{kind}".replace("_", "-") for kind, _ in given)
    raise click.UsageError(f"Say who with exactly one of {names}.")


def _value(key: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if text.strip() in _NO_NUMBERS:
            raise click.BadParameter(
                f"{key}: JSON has no {text.strip()}; leave {key} out, or quote it to send a text: {key}='\"{text}\"'",
                param_hint="--data",
            ) from None
        return text


def _parse(text: str | bytes, option: str, place: str) -> Any:
    def refuse(name: str) -> None:
        raise click.BadParameter(f"{place}: JSON has no {name}", param_hint=option)

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        message = f"{place}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}"
    except UnicodeDecodeError:
        message = f"{place}: not UTF-8"
    raise click.BadParameter(message, param_hint=option) from None
