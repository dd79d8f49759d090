"""How a person is named in a path of the v1 API, where the kind is guessed from the shape of the value."""

import re
from urllib.parse import quote

from pipeline.calls import Identity, IdentityKind

_CIO_ID = re.compile(r"cio_[A-Za-z0-9]*\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")


def guess_identity(value: str) -> Identity:
    """Return the person that v1 understands by a value: `cio_` and letters, the shape of an e-mail, else an id.

    Customer.io's OpenAPI document says that the type is determined from the shape of the value; what exactly it
    takes for an e-mail is not documented.
    """
    if _CIO_ID.match(value):
        return Identity(IdentityKind.CIO_ID, value.removeprefix("cio_"))
    if _EMAIL.match(value):
        return Identity(IdentityKind.EMAIL, value)
    return Identity(IdentityKind.ID, value)


def path_value(identity: Identity) -> str | None:
    """Return the value that names this person in a v1 path, None where v1 would or might take it for another.

    An id that holds an `@` or starts with `cio_` is such a value, and `.` and `..` are steps in a path wherever
    they are normalised.
    """
    kind, value = identity
    if kind is IdentityKind.CIO_ID:
        value = f"cio_{value.removeprefix('cio_')}"
    if value in {".", ".."} or guess_identity(value).kind is not kind:
        return None
    if kind is IdentityKind.ID and ("@" in value or value.startswith("cio_")):
        return None
    return value


def quote_segment(value: str) -> str:
    """Return a value as one segment of a path: everything but letters, digits and `-._~` percent-encoded."""
    return quote(value, safe="")
