"""The sandbox's page: people as Customer.io would show them, and what arrived. Rendered on the server, no scripts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pipeline.customerio.identifiers import guess_identity
from pipeline.sandbox.app import SandboxState
from pipeline.sandbox.people import Key, key_of

_SHOWN = 200

_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"}


class Pages:
    """Renders the state of a sandbox."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._templates = Environment(
            loader=PackageLoader("pipeline.sandbox"), autoescape=True, trim_blocks=True
        )
        self._templates.filters |= {"compact": compact, "moment": moment}

    def routes(self) -> list[Route]:
        """Return the pages' routes."""
        return [
            Route("/", self.overview),
            Route("/people", self.find),
            Route("/people/{cio_id}", self.person),
        ]

    async def overview(self, _: Request) -> Response:
        """Show counts, faults, people and the newest arrivals."""
        workspace = self._state.workspace
        journal = workspace.journal
        counts = [
            ("people", len(workspace.people)),
            ("events counted", journal.events_counted),
            ("duplicates", journal.outcomes["duplicate"]),
            ("refused", journal.refused),
            ("requests", journal.requests),
            *sorted(journal.calls.items()),
        ]
        return self._render(
            "overview.html",
            counts=counts,
            faults=self._state.faults.document(),
            people=list(islice(workspace.people, _SHOWN)),
            more_people=max(0, len(workspace.people) - _SHOWN),
            arrivals=journal.arrivals[: -_SHOWN - 1 : -1],
        )

    async def find(self, request: Request) -> Response:
        """Show whoever has a name, also when they are gone."""
        who = request.query_params.get("who", "").strip()
        return self._show(_named(who), who)

    async def person(self, request: Request) -> Response:
        """Show one person."""
        cio_id = request.path_params["cio_id"]
        person = self._state.workspace.people.find(("cio_id", cio_id))
        names = {} if person is None else person.names
        return self._show(("cio_id", cio_id), names.get("id") or names.get("email") or cio_id)

    def _show(self, key: Key, who: str) -> Response:
        workspace = self._state.workspace
        person = workspace.people.find(key)
        gone = workspace.journal.by_person.get(f"{key[0]}:{key[1]}", [])
        arrivals = gone if person is None else person.history
        return self._render(
            "person.html",
            status=404 if person is None and not gone else 200,
            who=who,
            person=person,
            relations=[] if person is None else workspace.objects.relations_of(person),
            arrivals=arrivals[-_SHOWN:],
        )

    def _render(self, template: str, status: int = 200, **values: Any) -> Response:
        page = self._templates.get_template(template).render(region=self._state.workspace.region, **values)
        return HTMLResponse(page, status, headers=_HEADERS)


def compact(value: object) -> str:
    """Return a value as JSON on one line."""
    plain = dict(value) if isinstance(value, Mapping) else value
    return orjson.dumps(plain, default=str).decode()


def moment(value: object) -> str:
    """Return a Unix time for people, as it is where it is none."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    try:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return str(value)


def _named(who: str) -> Key:
    """Read `kind:value` as the activity log writes it, or guess the kind from the shape as v1 does."""
    kind, separator, value = who.partition(":")
    if separator and kind in {"id", "email", "phone", "cio_id", "anonymous_id"}:
        return key_of(kind, value)
    identity = guess_identity(who)
    return key_of(identity.kind.value, identity.value)
