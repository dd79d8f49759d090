"""Everything that is served at an admin address: for probes, for Prometheus, for programs and for the page."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from pipeline import __version__
from pipeline.operations.admin_access import Access
from pipeline.operations.admin_guard import Guard
from pipeline.operations.admin_history import History
from pipeline.operations.admin_pages import Pages


class Monitored(Protocol):
    """A running pipeline, or several, as an admin address shows it. Both may take a while."""

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        ...

    def status(self) -> dict[str, Any]:
        """Return what /api/status tells; it has `ready` and `reasons`."""
        ...


class Part(Protocol):
    """A view of the page with its part of the API."""

    name: str

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of its part of the API."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


def admin_application(
    monitored: Monitored | None, access: Access | None = None, parts: Sequence[Part] = ()
) -> Guard:
    """Return the application. Without anything monitored it shows the parts alone."""
    access = access or Access()
    routes: list[BaseRoute] = [*Pages(access).routes(), Route("/healthz", _health)]
    looking: Callable[[], Any] = _nothing
    if monitored is not None:
        history = History(monitored.status)
        routes += _monitoring(monitored, history)
        looking = history.looking
    routes.append(Route("/api/session", _session(access, parts, monitored is not None)))
    for part in parts:
        routes += part.routes()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with looking():
            yield

    def close() -> None:
        for part in parts:
            part.close()

    return Guard(Starlette(routes=routes, lifespan=lifespan), access, close)


def _monitoring(monitored: Monitored, history: History) -> list[BaseRoute]:
    def show_metrics(_request: Request) -> Response:
        return Response(monitored.metrics(), media_type=CONTENT_TYPE_LATEST)

    def show_readiness(_request: Request) -> Response:
        now = monitored.status()
        body = {"ready": now["ready"], "reasons": now["reasons"]}
        return JSONResponse(body, status_code=200 if now["ready"] else 503)

    def show_status(_request: Request) -> Response:
        return JSONResponse(monitored.status())

    def show_history(request: Request) -> Response:
        try:
            since = float(request.query_params.get("since", "0"))
        except ValueError:
            since = 0.0
        return JSONResponse({"points": history.since(since)})

    return [
        Route("/metrics", show_metrics),
        Route("/readyz", show_readiness),
        Route("/api/status", show_status),
        Route("/api/history", show_history),
    ]


def _session(access: Access, parts: Sequence[Part], is_monitoring: bool) -> Callable[[Request], Response]:
    """Return what tells the page what it may show and what its requests must carry."""
    views = (["live"] if is_monitoring else []) + [part.name for part in parts]

    def show_session(request: Request) -> Response:
        return JSONResponse(
            {
                "version": __version__,
                "views": views,
                "payloads": access.payloads,
                "has_token": access.token is not None,
                "csrf": access.csrf_token(request),
            }
        )

    return show_session


async def _health(_request: Request) -> Response:  # in the loop: no busy thread keeps a probe waiting
    return PlainTextResponse("ok\n")


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield
