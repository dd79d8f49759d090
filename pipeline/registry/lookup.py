"""Schemas by their ids, looked up in a thread of their own, so that whoever asks never waits."""

from collections import OrderedDict
from collections.abc import Callable
from queue import SimpleQueue
from random import Random
from threading import Event, Thread
from typing import Any, Protocol

import structlog

from pipeline.decode.outcomes import SchemaPending, Undecodable
from pipeline.decode.schemas import Reader, Schema, compile_schema
from pipeline.registry.answers import NoSchema, Trouble

_log = structlog.get_logger(__name__)

MISSING_AGAIN_S = 60.0
"""After this long a schema that was missing is asked for again: replicas of a registry may be behind."""
MAX_KNOWN = 2_000
"""Schemas that are kept; the one that came first goes first."""
FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 10.0


class Registry(Protocol):
    """Who is asked."""

    def schema(self, schema_id: int) -> Schema | NoSchema | Trouble:
        """Return a schema, or why there is none; may take a while."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class SchemaLookup:
    """Keeps what was found; a schema never changes. One thread asks it, its own thread asks the registry.

    An outage is waited out with growing pauses; what is asked for meanwhile is `SchemaPending` with its cause.
    """

    def __init__(
        self, registry: Registry, *, monotonic: Callable[[], float], random: Random | None = None
    ) -> None:
        self._registry = registry
        self._monotonic = monotonic
        self._random = random or Random()  # noqa: S311 - jitter, no secret
        self._found: OrderedDict[int, Reader | Undecodable] = OrderedDict()
        self._missing: OrderedDict[int, tuple[Undecodable, float]] = OrderedDict()
        self._pending: dict[int, SchemaPending] = {}
        self._wanted: SimpleQueue[int | None] = SimpleQueue()
        self._failures = 0
        self._stop = Event()
        self._thread = Thread(target=self._run, name="schema-registry", daemon=True)

    def reader(self, schema_id: int) -> Reader | Undecodable | SchemaPending:
        """See `Schemas.reader`."""
        found = self._found.get(schema_id)
        if found is not None:
            return found
        missing = self._missing.get(schema_id)
        if missing is not None and self._monotonic() < missing[1]:
            return missing[0]
        pending = self._pending.get(schema_id)
        if pending is None:
            pending = self._pending[schema_id] = SchemaPending(schema_id)
            self._wanted.put(schema_id)
            if not self._thread.is_alive():
                self._thread.start()
        return pending

    def close(self) -> None:
        """End the thread; a request under way is not waited for longer than it takes to time out."""
        self._stop.set()
        self._wanted.put(None)
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _run(self) -> None:
        while (schema_id := self._wanted.get()) is not None and not self._stop.is_set():
            self._look_up(schema_id)
        self._registry.close()

    def _look_up(self, schema_id: int) -> None:
        try:
            answer = self._registry.schema(schema_id)
        except Exception as error:  # an answer nobody thought of must not end the look-ups
            answer = Trouble(f"the schema registry's answer cannot be read ({type(error).__name__})")
        if isinstance(answer, Trouble):
            self._wait(schema_id, answer)
            return
        if self._failures:
            _log.info("schema_registry_reached")
        self._failures = 0
        # What was found must be there before it stops being wanted: the other thread looks in this order.
        if isinstance(answer, NoSchema):
            _log.warning("schema_missing", schema=schema_id, cause=answer.text)
            self._missing[schema_id] = Undecodable(answer.text), self._monotonic() + MISSING_AGAIN_S
            _bound(self._missing)
        else:
            self._found[schema_id] = _compiled(schema_id, answer)
            _bound(self._found)
        del self._pending[schema_id]

    def _wait(self, schema_id: int, trouble: Trouble) -> None:
        if not self._failures:
            _log.warning(
                "schema_registry_fails", cause=trouble.text, then="its partitions wait, and it is asked again"
            )
        self._failures += 1
        self._pending[schema_id] = SchemaPending(schema_id, trouble.text)
        longest = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(self._failures, 20))
        self._stop.wait(self._random.uniform(longest / 2, longest))
        self._wanted.put(schema_id)


def _compiled(schema_id: int, schema: Schema) -> Reader | Undecodable:
    made = compile_schema(schema)
    if isinstance(made, Undecodable):
        _log.error(
            "schema_unusable", schema=schema_id, cause=made.text, then="its records go to the dead letters"
        )
        return Undecodable(f"schema {schema_id}: {made.text}")
    return made


def _bound(kept: OrderedDict[int, Any]) -> None:
    while len(kept) > MAX_KNOWN:
        kept.popitem(last=False)
