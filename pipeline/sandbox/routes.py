"""Which handler answers a path: matched on the raw path, decoded once, so that %2F belongs to the identifier."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

import orjson

from pipeline.sandbox import v1, v2
from pipeline.sandbox.replies import NOT_FOUND, Reply, json_reply, not_allowed, v1_error
from pipeline.sandbox.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to the API. `path` is as it came on the wire, `values` are the decoded identifiers in it."""

    workspace: Workspace
    method: str
    path: str
    query: str
    body: bytes
    now: float
    base_url: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and whether it asks for credentials."""

    answer: Callable[[ApiRequest], Reply]
    authenticated: bool = True


def find_route(method: str, path: str) -> tuple[Route, tuple[str, ...]] | Reply:
    """Return the handler of a raw path and the identifiers in it, or why there is none."""
    segments = tuple(path.split("/")[1:])
    for pattern, methods in _BY_LENGTH.get(len(segments), ()):
        if all(part in {segment, ""} for part, segment in zip(pattern, segments, strict=True)):
            route = methods.get(method)
            if route is None:
                return not_allowed(methods)
            values = (unquote(segment) for part, segment in zip(pattern, segments, strict=True) if not part)
            return route, tuple(values)
    return NOT_FOUND


def _document(request: ApiRequest) -> v1.Document | None:
    """Return the body as an object; nothing at all and `null` count as an empty one, None is no object."""
    if not request.body:
        return {}
    try:
        document = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return None
    return {} if document is None else document if isinstance(document, dict) else None


def _with_document(answer: Callable[[ApiRequest, v1.Document], Reply]) -> Callable[[ApiRequest], Reply]:
    def parse(request: ApiRequest) -> Reply:
        document = _document(request)
        return (
            v1_error("the request body is not a JSON object")
            if document is None
            else answer(request, document)
        )

    return parse


def _region(request: ApiRequest) -> Reply:
    return json_reply(200, {"url": request.base_url, "region": request.workspace.region, "environment_id": 1})


def _identify(request: ApiRequest, body: v1.Document) -> Reply:
    return v1.identify(request.workspace, request.values[0], body, request.now)


def _destroy(request: ApiRequest) -> Reply:
    return v1.destroy(request.workspace, request.values[0], request.now)


def _event(request: ApiRequest, body: v1.Document) -> Reply:
    return v1.event(request.workspace, request.values[0], body, request.now)


def _anonymous_event(request: ApiRequest, body: v1.Document) -> Reply:
    return v1.anonymous_event(request.workspace, body, request.now)


def _suppression(action: str) -> Callable[[ApiRequest], Reply]:
    return lambda request: v1.suppression(request.workspace, request.values[0], action, request.now)


def _add_device(request: ApiRequest, body: v1.Document) -> Reply:
    return v1.add_device(request.workspace, request.values[0], body, request.now)


def _delete_device(request: ApiRequest) -> Reply:
    identifier, token = request.values
    return v1.delete_device(request.workspace, identifier, token, request.now)


def _merge(request: ApiRequest, body: v1.Document) -> Reply:
    return v1.merge(request.workspace, body, request.now)


def _segment(adding: bool) -> Callable[[ApiRequest], Reply]:
    def answer(request: ApiRequest, body: v1.Document) -> Reply:
        id_type = parse_qs(request.query).get("id_type", ["id"])[0]
        segment_id = request.values[0]
        return v1.segment(
            request.workspace, segment_id, adding=adding, id_type=id_type, body=body, now=request.now
        )

    return _with_document(answer)


def _form(request: ApiRequest, body: v1.Document) -> Reply:
    return v1.form(request.workspace, body, request.now)


def _metric(name: str) -> Callable[[ApiRequest], Reply]:
    def answer(request: ApiRequest, body: v1.Document) -> Reply:
        return v1.delivery(request.workspace, body.get("delivery_id"), body.get(name), request.now)

    return _with_document(answer)


def _unsubscribe(request: ApiRequest, _: v1.Document) -> Reply:
    return v1.delivery(request.workspace, request.values[0], "unsubscribed", request.now)


def _entity(request: ApiRequest) -> Reply:
    return v2.entity(request.workspace, request.body, request.now)


def _batch(request: ApiRequest) -> Reply:
    return v2.batch(request.workspace, request.body, request.now)


_PUSH = Route(_metric("event"), authenticated=False)

_ROUTES: dict[str, dict[str, Route]] = {
    "/api/v2/batch": {"POST": Route(_batch)},
    "/api/v2/entity": {"POST": Route(_entity)},
    "/api/v1/accounts/region": {"GET": Route(_region)},
    "/api/v1/customers/": {"PUT": Route(_with_document(_identify)), "DELETE": Route(_destroy)},
    "/api/v1/customers//events": {"POST": Route(_with_document(_event))},
    "/api/v1/customers//devices": {"PUT": Route(_with_document(_add_device))},
    "/api/v1/customers//devices/": {"DELETE": Route(_delete_device)},
    "/api/v1/customers//suppress": {"POST": Route(_suppression("suppress"))},
    "/api/v1/customers//unsuppress": {"POST": Route(_suppression("unsuppress"))},
    "/api/v1/events": {"POST": Route(_with_document(_anonymous_event))},
    "/api/v1/merge_customers": {"POST": Route(_with_document(_merge))},
    "/api/v1/segments//add_customers": {"POST": Route(_segment(adding=True))},
    "/api/v1/segments//remove_customers": {"POST": Route(_segment(adding=False))},
    "/api/v1/forms//submit": {"POST": Route(_with_document(_form))},
    "/api/v1/metrics": {"POST": Route(_metric("metric"), authenticated=False)},
    "/api/v1/push/events": {"POST": _PUSH},
    "/push/events": {"POST": _PUSH},
    "/unsubscribe/": {"POST": Route(_with_document(_unsubscribe), authenticated=False)},
}
"""Every path of the Track API; an empty segment stands for an identifier."""

_BY_LENGTH: dict[int, list[tuple[tuple[str, ...], dict[str, Route]]]] = {}
for _path, _methods in _ROUTES.items():
    _pattern = tuple(_path.split("/")[1:])
    _BY_LENGTH.setdefault(len(_pattern), []).append((_pattern, _methods))
