"""One admin address for several workers: it asks each of them and adds up what they say."""

import json
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pipeline.cli.workers_sums import MetricSums, status_of_all

ASK_TIMEOUT_S = 3.0
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Worker(Protocol):
    """What the admin address knows of a worker."""

    number: int
    admin: str | None
    life: int
    restarts: int

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        ...


def workers_application(workers: Sequence[Worker]) -> Starlette:
    """Return the application: /metrics, /healthz, /readyz and /api/status of all workers together."""
    sums = MetricSums()

    def show_metrics(_request: Request) -> Response:
        texts = _ask(workers, "/metrics")
        for worker, text in zip(workers, texts, strict=True):
            if text is not None:
                sums.note((worker.number, worker.life), text.decode())
        alive = [(worker.number, worker.life) for worker in workers]
        return Response(sums.render(alive), media_type=CONTENT_TYPE_LATEST)

    def show_health(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def show_readiness(_request: Request) -> Response:
        now = _status(workers)
        return JSONResponse(
            {"ready": now["ready"], "reasons": now["reasons"]}, status_code=200 if now["ready"] else 503
        )

    def show_status(_request: Request) -> Response:
        return JSONResponse(_status(workers))

    paths: dict[str, Callable[[Request], Response]] = {
        "/metrics": show_metrics,
        "/healthz": show_health,
        "/readyz": show_readiness,
        "/api/status": show_status,
    }
    return Starlette(routes=[Route(path, show) for path, show in paths.items()])


def _status(workers: Sequence[Worker]) -> dict[str, Any]:
    texts = _ask(workers, "/api/status")
    documents = {
        worker.number: None if text is None else json.loads(text)
        for worker, text in zip(workers, texts, strict=True)
    }
    people = [
        {"worker": worker.number, "process": worker.pid, "restarts": worker.restarts} for worker in workers
    ]
    return {**status_of_all(documents), "workers": people}


def _ask(workers: Sequence[Worker], path: str) -> list[bytes | None]:
    """Ask all at once; None for one that does not answer."""
    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(lambda worker: _answer(worker.admin, path), workers))


def _answer(admin: str | None, path: str) -> bytes | None:
    if admin is None:
        return None
    try:
        with _DIRECTLY.open(f"http://{admin}{path}", timeout=ASK_TIMEOUT_S) as answer:
            body: bytes = answer.read()
            return body
    except OSError:
        return None
