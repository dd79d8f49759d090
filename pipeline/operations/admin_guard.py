"""The gate before all that the admin server serves: requests are judged here, and answers get their headers."""

from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.operations.admin_access import Access, note_wrong_token

LOGIN, LOGOUT = "/login", "/logout"
ASSETS = "/web/"
_PAGES = frozenset({"/"})
_FORMS = frozenset({LOGIN, LOGOUT})
_METHODS = frozenset({"GET", "HEAD", "POST"})
_HEADERS = {
    # Nothing but our own files, no scripts or styles in the page itself, and no text that becomes markup.
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def refusal(status: int, code: str, text: str) -> JSONResponse:
    """Return an answer that says what is wrong, for a program by `code` and for a person by `text`."""
    return JSONResponse({"error": code, "text": text}, status_code=status)


class Guard:
    """Lets requests through to an application that `access` allows. `close` releases what it holds."""

    def __init__(self, application: ASGIApp, access: Access, close: Callable[[], None]) -> None:
        self._application = application
        self._access = access
        self.close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message)
            await send(message)

        answer = self._refusal(Request(scope)) or self._application
        await answer(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        # Not `request.url`, which is made of the Host header: what that holds may look like a path.
        access, path = self._access, request.scope["path"]
        if request.method not in _METHODS:
            return refusal(405, "method", "only GET, HEAD and POST are answered")
        is_open = access.is_open(path)
        if is_open and access.token is not None:
            return None  # for everybody who can reach the address, by whatever name
        if not access.knows_host(request.headers.get("host")):
            return refusal(403, "host", "this address is not served under that name; see admin.hosts")
        return None if is_open else self._refusal_of_page(request, path)

    def _refusal_of_page(self, request: Request, path: str) -> Response | None:
        access = self._access
        if not (path in _FORMS or path.startswith(ASSETS) or access.admits(request)):
            if "authorization" in request.headers:
                note_wrong_token(request)
            return _ask_for_token(path)
        if request.method == "POST" and not access.is_own_post(request, is_form=path in _FORMS):
            return refusal(403, "foreign", "the request does not come from this page; load the page again")
        return None


def _ask_for_token(path: str) -> Response:
    if path in _PAGES:
        return RedirectResponse(LOGIN, status_code=303)
    answer = refusal(401, "token", "a token is needed: `Authorization: Bearer TOKEN`, or log in at /login")
    answer.headers["www-authenticate"] = "Bearer"
    return answer


def _add_headers(message: MutableMapping[str, Any]) -> None:
    known = {name.lower() for name, _ in message["headers"]}
    message["headers"] = [
        *message["headers"],
        *((name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in known),
    ]
