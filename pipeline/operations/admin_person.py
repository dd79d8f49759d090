"""The part of the API that reads records: samples of a topic, and what became of a person's latest ones."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pipeline.operations.admin_guard import refusal
from pipeline.operations.helper_answers import answered, no_payloads
from pipeline.operations.helper_process import HelperProcess
from pipeline.operations.reading import read_question

DEADLINE_S = 60.0
MOST_RECORDS = 50_000


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class AskedSamples(_Asked):
    """Which events to take."""

    topic: Annotated[str, Field(min_length=1, max_length=249)]
    count: Annotated[int, Field(ge=1, le=100)] = 20


class AskedPerson(_Asked):
    """Whom to look for, and among how many of the latest records of each topic."""

    whom: Annotated[str, Field(min_length=1, max_length=1_000)]
    records: Annotated[int, Field(ge=1, le=MOST_RECORDS)] = 5_000
    reveal: bool = False


class PersonPart:
    """Reads records without a group and without a commit, in a process of its own."""

    name = "person"

    def __init__(self, desk: HelperProcess, topics: Sequence[str], *, payloads: bool) -> None:
        self._desk = desk
        self._topics = frozenset(topics)
        self._payloads = payloads

    def routes(self) -> list[BaseRoute]:
        """See `Part.routes`."""
        return [
            Route("/api/samples", self.samples, methods=["POST"]),
            Route("/api/person", self.person, methods=["POST"]),
        ]

    def close(self) -> None:
        """See `Part.close`."""
        self._desk.close()

    async def samples(self, request: Request) -> Response:
        """Give the latest events of one of the pipeline's topics."""
        if not self._payloads:
            return no_payloads()
        asked = await read_question(request, AskedSamples)
        if isinstance(asked, Response):
            return asked
        if asked.topic not in self._topics:
            return refusal(400, "topic", "the pipeline does not read this topic")
        question = {"do": "samples", **asked.model_dump()}
        return await run_in_threadpool(answered, self._desk, question, DEADLINE_S, "reading took too long")

    async def person(self, request: Request) -> Response:
        """Tell what became of a person's latest records."""
        if not self._payloads:
            return no_payloads()
        asked = await read_question(request, AskedPerson)
        if isinstance(asked, Response):
            return asked
        question = {"do": "person", **asked.model_dump()}
        return await run_in_threadpool(answered, self._desk, question, DEADLINE_S, "reading took too long")
