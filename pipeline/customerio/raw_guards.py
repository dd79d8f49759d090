"""What keeps a raw request within the API of Customer.io: its path, its method, its headers."""

import re
from collections.abc import Callable

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*\Z")
_DOTS = re.compile(r"(?:\.|%2e){1,2}\Z", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+\Z")

REFUSED_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that would speak for somebody else, or break the framing of the request."""


def header_problem(name: str, value: str = "") -> str | None:
    """Return why a header may not be sent, or None; the text holds no value."""
    if not _HEADER_NAME.match(name):
        return "a header's name holds what a name may not"
    if name.lower() in REFUSED_HEADERS:
        return f"the header {name} is the client's to set"
    if any(not (character == "\t" or " " <= character <= "~") for character in value):
        return f"the header {name} may hold only printable ASCII"
    return None


def path_problem(path: str) -> str | None:
    """Return why a path could lead elsewhere than into the API, or None."""
    return next((problem for problem, found in _PATH_PROBLEMS if found(path)), None)


_PATH_PROBLEMS: tuple[tuple[str, Callable[[str], object]], ...] = (
    (
        "must not name a host: only the path after /api, such as /v1/accounts/region",
        lambda path: "://" in path or path.startswith("//"),
    ),
    ("must start with one slash", lambda path: not path.startswith("/")),
    ("must hold no ? and no #: use query", lambda path: "?" in path or "#" in path),
    ("holds a character that a path cannot: percent-encode it", lambda path: not _PATH.match(path)),
    ("must hold no empty segment", lambda path: "//" in path),
    ("must hold no dot segments", lambda path: any(map(_DOTS.match, path.split("/")))),
)
