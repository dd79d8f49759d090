"""Who may ask the admin server what: by the token, by the name it is called by, by where a request comes from.

Three kinds of strangers are kept out. Somebody on the network has no token. A page of another site that the operator
has open cannot send what changes anything: its origin is told by the browser, and it cannot read the token that such
a request must carry. A site whose name was bound to this address (DNS rebinding) is told by the Host header.
"""

import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from starlette.requests import Request

from pipeline.errors import ConfigurationError

_log = structlog.get_logger(__name__)

SESSION_SECONDS = 12 * 3_600
LEAST_TOKEN_LENGTH = 16
CSRF_HEADER = "x-csrf-token"
COOKIE = "cio_pipeline_session"
PROBES = frozenset({"/healthz", "/readyz"})
METRICS = "/metrics"


class AdminToken:
    """The token of the moment. While it cannot be read again, because its file is being replaced, the last one holds.

    Raises:
        ConfigurationError: there is none, or it is too short to be safe.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._last = self._checked()

    def __call__(self) -> str:
        """Return the token."""
        with suppress(ConfigurationError):
            self._last = self._checked()
        return self._last

    def _checked(self) -> str:
        token = self._read()
        if len(token) < LEAST_TOKEN_LENGTH:
            raise ConfigurationError(
                f"admin.token: the token must have at least {LEAST_TOKEN_LENGTH} characters;"
                " `openssl rand -hex 32` makes a good one"
            )
        return token


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one admin address.

    `token` gives the token of the moment, None where none is asked for. `payloads` tells whether data of events may be
    shown. `hosts` are names it answers to, besides IP addresses and `localhost`. With `open_metrics` the metrics need
    no token; probes never do.
    """

    token: Callable[[], str] | None = None
    payloads: bool = True
    hosts: frozenset[str] = frozenset()
    open_metrics: bool = True
    now: Callable[[], float] = time.time
    _key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def is_open(self, path: str) -> bool:
        """Tell whether a path is answered without the token."""
        return path in PROBES or (path == METRICS and self.open_metrics)

    def knows_host(self, header: str | None) -> bool:
        """Tell whether the address may be called so: a rebound name is neither an IP address nor one of ours."""
        host = _host_of(header or "")
        if host == "localhost" or host in self.hosts:
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True

    def admits(self, request: Request) -> bool:
        """Tell whether a request has the token or a session that was opened with it."""
        return self.token is None or self.has_bearer(request) or self._has_session(request)

    def has_bearer(self, request: Request) -> bool:
        """Tell whether a request carries the token itself, as scripts do."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return self.token is not None and scheme.lower() == "bearer" and self.is_token(given.strip())

    def is_token(self, given: str) -> bool:
        """Tell whether this is the token, in a time that tells nothing about it."""
        return self.token is not None and hmac.compare_digest(given.encode(), self.token().encode())

    def open_session(self) -> str:
        """Return a session's cookie. It ends by itself, and with the token that opened it."""
        ends = str(int(self.now()) + SESSION_SECONDS)
        return f"{ends}.{self._signed(f'session {ends}')}"

    def csrf_token(self, request: Request) -> str:
        """Return what a request of this session must carry to change anything."""
        return self._signed(f"csrf {request.cookies.get(COOKIE, '')}")

    def is_own_post(self, request: Request, *, is_form: bool = False) -> bool:
        """Tell whether a request that changes something comes from our page, or from a script with the token.

        A form cannot carry a header of ours; that it comes from our page the browser tells.
        """
        if self.has_bearer(request):
            return True
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            return False
        if site is not None and site != "same-origin":
            return False
        if is_form:
            return origin is not None
        given = request.headers.get(CSRF_HEADER, "")
        return hmac.compare_digest(given.encode(), self.csrf_token(request).encode())

    def _has_session(self, request: Request) -> bool:
        ends, _, signature = request.cookies.get(COOKIE, "").partition(".")
        signed = self._signed(f"session {ends}")
        # Signed first: what is not ours is never read as a number.
        return hmac.compare_digest(signature.encode(), signed.encode()) and int(ends) > self.now()

    def _signed(self, text: str) -> str:
        key = self._key if self.token is None else self.token()
        return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()


def note_wrong_token(request: Request) -> None:
    """Log from where somebody came without the token; what was given instead goes nowhere."""
    _log.warning("wrong_token", address=request.client.host if request.client else "unknown")


def _host_of(header: str) -> str:
    """Return the host of a Host header in small letters, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    host, _, _port = header.partition(":")
    return host.lower().rstrip(".")
