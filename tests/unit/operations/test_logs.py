"""What a log line holds, and what it never holds."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pipeline.operations.logs import configure_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def test_a_line_is_one_json_object_with_time_level_and_fields() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    structlog.get_logger("pipeline.engine").info("committed", partition="shop/0", offset=7)
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "committed", "level": "info", "partition": "shop/0", "offset": 7}


def test_a_person_at_a_terminal_gets_text_and_everyone_else_json() -> None:
    terminal, file = Terminal(), io.StringIO()
    configure_logs("auto", "info", terminal)
    structlog.get_logger().info("ready")
    configure_logs("auto", "info", file)
    structlog.get_logger().info("ready")
    assert not terminal.getvalue().startswith("{")
    assert "ready" in terminal.getvalue()
    assert json.loads(file.getvalue())["event"] == "ready"


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure_logs("json", "warning", stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


@pytest.mark.parametrize("form", ["json", "human"])
def test_an_exception_is_told_by_kind_and_place_and_its_text_stays_out(form: str) -> None:
    stream = io.StringIO()
    configure_logs("human" if form == "human" else "json", "info", stream)
    try:
        raise ValueError("ada@example.com")
    except ValueError:
        structlog.get_logger().exception("failed")
    text = stream.getvalue()
    assert "ada@example.com" not in text
    assert "ValueError" in text
    assert "test_logs.py" in text


def test_a_librarys_warning_is_a_line_like_ours_and_its_small_talk_is_dropped() -> None:
    stream = io.StringIO()
    configure_logs("json", "debug", stream)
    logging.getLogger("httpx").info("HTTP Request: PUT /customers/ada@example.com")
    logging.getLogger("asyncio").warning("slow callback")
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["event"], line["level"], line["logger"]) == ("slow callback", "warning", "asyncio")


def test_configuring_twice_does_not_say_everything_twice() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    configure_logs("json", "info", stream)
    logging.getLogger("asyncio").warning("once")
    assert len(stream.getvalue().splitlines()) == 1
