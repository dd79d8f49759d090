"""The page's files and the way in: what a browser loads before it asks for data."""

from html import escape
from importlib.resources import files
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from pipeline.operations.admin_access import COOKIE, SESSION_SECONDS, Access, note_wrong_token
from pipeline.operations.admin_guard import ASSETS, LOGIN, LOGOUT

_MOST_FORM_BYTES = 4_096
_MEDIA: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_REFUSED = '<p class="refused" role="alert">That is not the token.</p>'


class Pages:
    """Serves the files of `web/`, a closed set that is read once, and opens and ends sessions."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._files = _web_files()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.index),
            Route(ASSETS + "{name}", self.file),
            Route(LOGIN, self.login_form),
            Route(LOGIN, self.login, methods=["POST"]),
            Route(LOGOUT, self.logout, methods=["POST"]),
        ]

    async def index(self, _: Request) -> Response:
        """Show the page."""
        return self._answer("index.html")

    async def file(self, request: Request) -> Response:
        """Give one file of the page."""
        return self._answer(request.path_params["name"])

    async def login_form(self, _: Request) -> Response:
        """Ask for the token, where there is one."""
        if self._access.token is None:
            return RedirectResponse("/", status_code=303)
        return self._login_page("")

    async def login(self, request: Request) -> Response:
        """Open a session for whoever has the token."""
        given = parse_qs((await _body(request)).decode("utf-8", "replace")).get("token", [""])[0]
        if not self._access.is_token(given.strip()):
            note_wrong_token(request)
            return self._login_page(_REFUSED, status=403)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            COOKIE,
            self._access.open_session(),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.scope["scheme"] == "https",
        )
        return answer

    async def logout(self, _: Request) -> Response:
        """End the browser's session."""
        answer = RedirectResponse(LOGIN, status_code=303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    def _login_page(self, message: str, status: int = 200) -> Response:
        page = self._files["login.html"][0].decode().replace("<!-- message -->", message)
        return HTMLResponse(page, status_code=status)

    def _answer(self, name: str) -> Response:
        if name not in self._files:
            return HTMLResponse(f"<p>There is no {escape(name)}.</p>", status_code=404)
        content, media = self._files[name]
        return Response(content, media_type=media)


def _web_files() -> dict[str, tuple[bytes, str]]:
    found = {}
    for file in (files("pipeline.operations") / "web").iterdir():
        ending = "." + file.name.rpartition(".")[2]
        if ending in _MEDIA:
            found[file.name] = (file.read_bytes(), _MEDIA[ending])
    return found


async def _body(request: Request) -> bytes:
    """Return a form's text, or its beginning where it is longer than a form of ours can be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            break
    return body[:_MOST_FORM_BYTES]
