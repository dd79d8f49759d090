"""What a helper process says, as answers of the API."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from pipeline.errors import PipelineError
from pipeline.operations.admin_guard import refusal
from pipeline.operations.helper_process import HelperBusyError, HelperDeadlineError, HelperProcess

NO_PAYLOADS = "data of events is not shown at this address; `admin.show_payloads: true` allows it"


def answered(
    helper: HelperProcess,
    question: Mapping[str, Any],
    deadline_s: float,
    too_long: str = "it took too long",
    finish: Callable[[dict[str, Any]], dict[str, Any]] = lambda found: found,
) -> Response:
    """Ask and return what `finish` makes of the answer, or why there is none.

    `too_long` says what took longer than the deadline.
    """
    try:
        return JSONResponse(finish(helper.ask(question, deadline_s=deadline_s)))
    except HelperBusyError as error:
        return refusal(503, "busy", str(error))
    except HelperDeadlineError:
        return refusal(422, "deadline", f"{too_long}: more than {deadline_s:g} s, and was stopped")
    except PipelineError as error:
        return refusal(422, "failed", str(error))


def no_payloads() -> Response:
    """Return the answer where data of events may not be shown."""
    return refusal(403, "payloads", NO_PAYLOADS)
