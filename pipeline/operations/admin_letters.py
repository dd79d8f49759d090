"""The part of the API about dead letters: groups, single ones with their originals, retries and dismissals.

A retry sends only what was looked at first: the preview gives a ticket, and the ticket is what is sent.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock, Thread
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pipeline.errors import PipelineError
from pipeline.operations.admin_guard import refusal
from pipeline.operations.helper_answers import answered, no_payloads
from pipeline.operations.helper_process import HelperProcess
from pipeline.operations.reading import read_question

LOOK_S = 60.0
RETRY_S = 24 * 3_600.0
TICKET_S = 600.0
_MOST_TICKETS = 50

Name = Annotated[str, Field(max_length=1_000)]
Group = Annotated[list[Name | None], Field(min_length=3, max_length=3)]


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class AskedGroup(_Asked):
    """A group: reason, rule, field."""

    group: Group


class AskedLetter(_Asked):
    """A record by its position."""

    position: Name
    reveal: bool = False


class AskedPreview(_Asked):
    """What to send again: a group, or the dead letters of one record."""

    group: Group | None = None
    position: Name | None = None
    allow_irreversible: bool = False


class AskedRetry(_Asked):
    """What a preview showed."""

    ticket: Name


class AskedDismissal(_Asked):
    """What to take off the list, and how many that are."""

    group: Group | None = None
    position: Name | None = None
    count: Annotated[int, Field(ge=1)]


class LettersPart:
    """Looks by one process and acts by another, so that a retry under way keeps nobody from looking."""

    name = "deadletters"

    def __init__(
        self,
        looking: HelperProcess,
        acting: HelperProcess,
        *,
        payloads: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._looking = looking
        self._acting = acting
        self._payloads = payloads
        self._monotonic = monotonic
        self._tickets: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self._lock = Lock()
        self._run: dict[str, Any] = {"state": "none"}

    def routes(self) -> list[BaseRoute]:
        """See `Part.routes`."""
        root = "/api/deadletters"
        return [
            Route(root, self.groups),
            Route(f"{root}/group", self.group, methods=["POST"]),
            Route(f"{root}/letter", self.letter, methods=["POST"]),
            Route(f"{root}/preview", self.preview, methods=["POST"]),
            Route(f"{root}/retry", self.retry, methods=["POST"]),
            Route(f"{root}/retry", self.progress),
            Route(f"{root}/stop", self.stop, methods=["POST"]),
            Route(f"{root}/dismiss", self.dismiss, methods=["POST"]),
        ]

    def close(self) -> None:
        """See `Part.close`."""
        self._looking.close()
        self._acting.close()

    def groups(self, _: Request) -> Response:
        """Give the groups; nothing in them is data of an event."""
        return answered(self._looking, {"do": "groups"}, LOOK_S)

    async def group(self, request: Request) -> Response:
        """Give the dead letters of a group, without their originals."""
        asked = await read_question(request, AskedGroup)
        if isinstance(asked, Response):
            return asked
        question = {"do": "letters", "group": asked.group}
        return await run_in_threadpool(answered, self._looking, question, LOOK_S)

    async def letter(self, request: Request) -> Response:
        """Give a record's original, its calls and the answers to them."""
        if not self._payloads:
            return no_payloads()
        asked = await read_question(request, AskedLetter)
        if isinstance(asked, Response):
            return asked
        question = {"do": "letter", **asked.model_dump()}
        return await run_in_threadpool(answered, self._looking, question, LOOK_S)

    async def preview(self, request: Request) -> Response:
        """Tell what a retry would do, and give the ticket for it."""
        asked = await read_question(request, AskedPreview)
        if isinstance(asked, Response):
            return asked
        if (asked.group is None) == (asked.position is None):
            return refusal(400, "request", "name either a group or a position")
        which = asked.model_dump()

        def with_ticket(found: dict[str, Any]) -> dict[str, Any]:
            ticket = self._issue({**which, "shown": found.pop("shown")})
            return {**found, "ticket": ticket}

        question = {"do": "preview", **which}
        return await run_in_threadpool(answered, self._looking, question, LOOK_S, finish=with_ticket)

    async def retry(self, request: Request) -> Response:
        """Begin to send what a preview showed."""
        asked = await read_question(request, AskedRetry)
        if isinstance(asked, Response):
            return asked
        which = self._redeem(asked.ticket)
        if which is None:
            return refusal(409, "ticket", "look at what the retry would do first; that was too long ago")
        with self._lock:
            if self._run["state"] == "running":
                return refusal(409, "running", "a retry is running already")
            self._run = {"state": "running"}
        Thread(target=self._send, args=(which,), name="admin-retry", daemon=True).start()
        return JSONResponse(self._run, status_code=202)

    def progress(self, _: Request) -> Response:
        """Tell how far the retry is, or how the last one ended."""
        return JSONResponse(self._run)

    def stop(self, _: Request) -> Response:
        """End the retry in order: what is on its way is waited for."""
        if self._run["state"] == "running":
            self._acting.interrupt()
        return JSONResponse(self._run)

    async def dismiss(self, request: Request) -> Response:
        """Take dead letters off the list without sending them."""
        asked = await read_question(request, AskedDismissal)
        if isinstance(asked, Response):
            return asked
        if (asked.group is None) == (asked.position is None):
            return refusal(400, "request", "name either a group or a position")
        question = {"do": "dismiss", **asked.model_dump()}
        return await run_in_threadpool(answered, self._acting, question, LOOK_S)

    def _send(self, which: dict[str, Any]) -> None:
        def look(now: dict[str, Any]) -> None:
            self._run = {"state": "running", **now}

        try:
            result = self._acting.ask({"do": "retry", **which}, deadline_s=RETRY_S, progress=look)
            self._run = {"state": "done", **result}
        except PipelineError as error:
            self._run = {**self._run, "state": "failed", "text": str(error)}

    def _issue(self, which: dict[str, Any]) -> str:
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = (self._monotonic() + TICKET_S, which)
        while len(self._tickets) > _MOST_TICKETS:
            self._tickets.popitem(last=False)
        return ticket

    def _redeem(self, ticket: str) -> dict[str, Any] | None:
        until, which = self._tickets.pop(ticket, (0.0, None))
        return which if self._monotonic() < until else None
