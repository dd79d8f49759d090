"""What one setting may be: the types that the sections share, each with the sentence for a wrong value."""

from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, SecretStr


class Section(BaseModel):
    """A group of settings: strict, unchangeable, and without a key that nobody knows."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


def _as_tuple(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


def _start(value: Any) -> str | datetime:
    if value in {"earliest", "latest"}:
        return str(value)
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("must be earliest, latest or a time such as 2026-01-31T08:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone, for example 2026-01-31T08:00:00Z")
    return moment


def _address(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not (port.isascii() and port.isdigit() and 0 <= int(port) <= 65_535):
        raise ValueError("must be HOST:PORT, for example 127.0.0.1:9464")
    return value


def _addresses(value: str) -> str:
    for address in value.split(","):
        _address(address.strip())
    return value


def _listen(value: Any) -> Any:
    return None if value == "off" else value


def is_loopback(address: str) -> bool:
    """Tell whether `HOST:PORT` can be reached from this machine only."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if scheme not in {"http", "https"} or not separator or not rest.strip("/") or "@" in rest:
        raise ValueError("must be http:// or https:// and a host, without a user or password")
    return value.rstrip("/")


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple)]
OneOrMoreTexts = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
OneOrMorePaths = Annotated[
    tuple[Annotated[Path, Field(strict=False)], ...], BeforeValidator(_as_tuple), Field(min_length=1)
]
Start = Annotated[Literal["earliest", "latest"] | datetime, PlainValidator(_start)]
BrokerAddresses = Annotated[Text, AfterValidator(_addresses)]
ListenAddress = Annotated[Annotated[str, AfterValidator(_address)] | None, BeforeValidator(_listen)]
Url = Annotated[str, AfterValidator(_url)]
NotBlank = Annotated[SecretStr, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1)]
