"""The v2 endpoints: one operation, or a batch of them."""

from collections.abc import Mapping

import orjson

from pipeline.customerio.limits import MAX_ITEM_BYTES
from pipeline.sandbox.replies import OK, Reply, json_reply, v2_errors
from pipeline.sandbox.validation import Problem
from pipeline.sandbox.workspace import Workspace

MAX_BODY_BYTES = 500_000
"""A batch is at most "500kb" (SPEC, batch)."""

_NOT_JSON = Problem("invalid", "", "the request is not valid JSON")
_ITEM_TOO_LARGE = Problem("invalid", "", "operation cannot be larger than 32kb")


def entity(workspace: Workspace, body: bytes, now: float) -> Reply:
    """Answer one operation."""
    try:
        operation = orjson.loads(body)
    except orjson.JSONDecodeError:
        return v2_errors([_NOT_JSON])
    problem = _ITEM_TOO_LARGE if len(body) > MAX_ITEM_BYTES else workspace.take(operation, now)
    return OK if problem is None else v2_errors([problem])


def batch(
    workspace: Workspace, body: bytes, now: float, refused: Mapping[int, Problem] | None = None
) -> Reply:
    """Answer a batch: 200, 207 naming the operations that are refused, or 400 when it is no batch at all.

    Operations at the indexes of `refused` are refused whatever they hold.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return v2_errors([_NOT_JSON])
    operations = document.get("batch") if isinstance(document, dict) else None
    if not isinstance(operations, list) or not operations:
        return v2_errors([Problem("required", "batch", "batch is required")])
    if len(body) > MAX_BODY_BYTES:
        return v2_errors([Problem("invalid", "batch", "batch cannot be larger than 500kb")])
    errors = []
    take = workspace.take
    could_exceed = len(body) > MAX_ITEM_BYTES
    for index, operation in enumerate(operations):
        if refused and index in refused:
            workspace.journal.refused += 1
            problem: Problem | None = refused[index]
        elif could_exceed and len(orjson.dumps(operation)) > MAX_ITEM_BYTES:
            workspace.journal.refused += 1
            problem = _ITEM_TOO_LARGE
        else:
            problem = take(operation, now)
        if problem is not None:
            errors.append({"batch_index": index, **problem.document()})
    return json_reply(207, {"errors": errors}) if errors else OK
