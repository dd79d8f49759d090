"""The playground's part of the API: the rules in force to begin with, and what edited ones make of an event."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pipeline.errors import PipelineError
from pipeline.operations.admin_guard import refusal
from pipeline.operations.helper_answers import answered
from pipeline.operations.helper_process import HelperProcess
from pipeline.operations.playground import Ways, ways_document
from pipeline.operations.reading import read_question

DEADLINE_S = 10.0
TOO_LONG = "these rules take too long on this event"
_MOST_FILES = 50

Text = Annotated[str, Field(max_length=1_000_000)]
Name = Annotated[str, Field(max_length=1_000)]


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class AskedFile(_Asked):
    """One mapping file as it is being written."""

    name: Name
    text: Text


class AskedRecord(_Asked):
    """What Kafka would tell of the event."""

    topic: Name | None = None
    partition: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    offset: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    key: Text | None = None
    timestamp_ms: Annotated[int, Field(ge=-(2**62), lt=2**62)] | None = None
    headers: Annotated[dict[Name, Text | None], Field(max_length=1_000)] | None = None


class AskedTrial(_Asked):
    """What `try_out` is asked."""

    files: Annotated[list[AskedFile], Field(min_length=1, max_length=_MOST_FILES)]
    event: Text | None = None
    record: AskedRecord | None = None


class PlaygroundPart:
    """Tries rules out in a process of its own. `files` gives the rules to begin with, by name."""

    name = "playground"

    def __init__(
        self, files: Callable[[], Mapping[str, str]], ways: Ways, topics: Sequence[str] = ()
    ) -> None:
        self._files = files
        self._ways = ways_document(ways)
        self._topics = list(topics)
        self._helper = HelperProcess("pipeline.operations.playground_child")

    def routes(self) -> list[BaseRoute]:
        """See `Part.routes`."""
        return [
            Route("/api/mapping", self.mapping),
            Route("/api/playground", self.try_out, methods=["POST"]),
        ]

    def close(self) -> None:
        """See `Part.close`."""
        self._helper.close()

    def mapping(self, _: Request) -> Response:
        """Give the files in force."""
        try:
            files = self._files()
        except PipelineError as error:
            return refusal(500, "files", str(error))
        named = [{"name": name, "text": text} for name, text in files.items()]
        return JSONResponse({"files": named, "topics": self._topics})

    async def try_out(self, request: Request) -> Response:
        """Tell what edited files make of an event."""
        asked = await read_question(request, AskedTrial)
        if isinstance(asked, Response):
            return asked
        question = {"asked": asked.model_dump(exclude_unset=True), "ways": self._ways}
        return await run_in_threadpool(answered, self._helper, question, DEADLINE_S, TOO_LONG)
