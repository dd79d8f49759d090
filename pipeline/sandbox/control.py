"""Questions to the sandbox over HTTP, under /_sandbox/: what arrived, who is there, which faults are in force."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pipeline.errors import ConfigurationError
from pipeline.sandbox.app import SandboxState
from pipeline.sandbox.faults import Refuse, read_fault
from pipeline.sandbox.pages import Pages
from pipeline.sandbox.people import key_of

_NDJSON = "application/x-ndjson"
_LINES_AT_ONCE = 1_000


class Control:
    """Answers what tests and people ask.

    `refuse` closes the door for so many seconds, at once but for the connection that asked for it.
    """

    def __init__(self, state: SandboxState, refuse: Callable[[float, asyncio.BaseTransport], None]) -> None:
        self._state = state
        self._refuse = refuse

    def application(self) -> Starlette:
        """Return the application that serves the questions and the pages."""
        questions: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "counts": self.counts,
            "events": self.events,
            "arrivals": self.arrivals,
            "history": self.history,
            "people": self.people,
            "objects": self.objects,
        }
        routes = [Route(f"/_sandbox/{name}", answer) for name, answer in questions.items()]
        routes += [
            Route("/_sandbox/reset", self.reset, methods=["POST"]),
            Route("/_sandbox/faults", self.show_faults, methods=["GET"]),
            Route("/_sandbox/faults", self.set_fault, methods=["POST"]),
            Route("/_sandbox/faults", self.clear_faults, methods=["DELETE"]),
        ]
        return Starlette(routes=[*routes, *Pages(self._state).routes()])

    async def counts(self, _: Request) -> Response:
        """Tell how many calls of each kind arrived, what became of them, and whether any credentials do."""
        workspace = self._state.workspace
        journal = workspace.journal
        return _json(
            {
                "requests": journal.requests,
                "calls": dict(journal.calls),
                "outcomes": dict(journal.outcomes),
                "refused": journal.refused,
                "events_counted": journal.events_counted,
                "duplicates": journal.outcomes["duplicate"],
                "people": len(workspace.people),
                "suppressed": len(set(workspace.suppressed.values())),
                "any_credentials": self._state.credentials is None,
            }
        )

    async def events(self, _: Request) -> Response:
        """List every event id with how often it arrived."""
        return _json(dict(self._state.workspace.journal.event_ids))

    async def arrivals(self, request: Request) -> Response:
        """Export every arrival in order, one JSON object a line; `?from=N` leaves out the first N."""
        first = request.query_params.get("from", "0")
        if not first.isdigit():
            return _json({"error": "from must be a number"}, 400)
        return StreamingResponse(self._lines(int(first)), media_type=_NDJSON)

    async def _lines(self, first: int) -> AsyncIterator[bytes]:
        arrivals = self._state.workspace.journal.arrivals
        for start in range(first, len(arrivals), _LINES_AT_ONCE):
            chunk = arrivals[start : start + _LINES_AT_ONCE]
            yield b"".join(orjson.dumps(a.document(), option=orjson.OPT_APPEND_NEWLINE) for a in chunk)

    async def history(self, request: Request) -> Response:
        """Tell what arrived under one name, `?kind=id&value=U1`, in order; also of people who are gone."""
        kind = request.query_params.get("kind", "id")
        value = request.query_params.get("value")
        if value is None:
            return _json({"error": "say whose history: ?kind=id&value=..."}, 400)
        key = key_of(kind, value)
        workspace = self._state.workspace
        person = workspace.people.find(key)
        arrivals = workspace.journal.by_person.get(f"{key[0]}:{key[1]}", [])
        return _json(
            {
                "person": None if person is None else person.document(),
                "calls": [arrival.document() for arrival in arrivals],
            }
        )

    async def people(self, _: Request) -> Response:
        """List everybody, in the order in which they came to be."""
        return _json([person.document() for person in self._state.workspace.people])

    async def objects(self, _: Request) -> Response:
        """List every object with its attributes and the people it relates to."""
        return _json(self._state.workspace.objects.document())

    async def reset(self, _: Request) -> Response:
        """Forget everything."""
        self._state.reset()
        return _json({})

    async def show_faults(self, _: Request) -> Response:
        """List the faults in force."""
        return _json(self._state.faults.document())

    async def set_fault(self, request: Request) -> Response:
        """Put a fault in force: one JSON object."""
        try:
            document = orjson.loads(await request.body())
            if not isinstance(document, dict):
                raise ConfigurationError("a fault is a JSON object")
            fault = read_fault(document)
        except orjson.JSONDecodeError:
            return _json({"error": "the body is not valid JSON"}, 400)
        except ConfigurationError as error:
            return _json({"error": str(error)}, 400)
        if isinstance(fault, Refuse):
            self._refuse(fault.seconds, request.scope["state"]["transport"])
            answer = _json([fault.model_dump(mode="json")])
            answer.headers["connection"] = "close"
            return answer
        self._state.faults.set(fault)
        return _json(self._state.faults.document())

    async def clear_faults(self, _: Request) -> Response:
        """End every fault."""
        self._state.faults.clear()
        return _json([])


def _json(document: object, status: int = 200) -> Response:
    body = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    return Response(body, status, media_type="application/json")
