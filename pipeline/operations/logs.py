"""Log lines: JSON for machines, text for a person at a terminal, always on stderr.

A warning means that nothing is lost, an error that a person is needed. No line shows a payload or a secret: an
exception is told by its kind and its place, without its text.
"""

import logging
import sys
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

from pipeline.operations.log_repeats import LibraryRepeats, RepeatLimit

Event = MutableMapping[str, Any]


def configure_logs(
    form: Literal["auto", "json", "human"] = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Send every log line of this process to `stream` (stderr), libraries' warnings included."""
    stream = stream or sys.stderr
    human = form == "human" or (form == "auto" and stream.isatty())
    repeats = RepeatLimit()
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_without_text,
    ]
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if human
        else structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False)
    )
    structlog.configure(
        processors=[repeats, *shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(shared, render, stream, repeats)


def _configure_libraries(
    shared: list[structlog.typing.Processor],
    render: structlog.typing.Processor,
    stream: TextIO,
    repeats: RepeatLimit,
) -> None:
    """Let libraries say no less than warnings: httpx tells request paths at info, and those name people."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(LibraryRepeats(repeats))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    root = logging.getLogger()
    for old in [
        old for old in root.handlers if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter)
    ]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)


def _exception_without_text(_logger: Any, _method: str, event: Event) -> Event:
    information = event.pop("exc_info", None)
    if information is True:
        information = sys.exc_info()
    error = information[1] if isinstance(information, tuple) else information
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
        event["error_place"] = _innermost(error.__traceback__)
    return event


def _innermost(traceback: TracebackType | None) -> str | None:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return None if traceback is None else f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
