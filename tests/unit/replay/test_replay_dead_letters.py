"""A dead letter of a replay says so wherever it is kept; one of the live pipeline looks as it always did."""

import pytest

from pipeline.calls import Reason
from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.json_lines import from_line, to_line
from pipeline.kafka.dead_letter_message import whole
from pipeline.records import Record


def letter(replay: str | None) -> DeadLetter:
    return DeadLetter(Record("t", 0, 1, b"k", b"v"), Reason.REJECTED, "refused", 5, replay=replay)


@pytest.mark.parametrize("replay", ["lost-hour", None])
def test_a_line_keeps_the_name_of_the_replay(replay: str | None) -> None:
    assert from_line(to_line(letter(replay))) == letter(replay)


def test_a_message_has_a_header_for_the_replay_only_where_there_is_one() -> None:
    assert dict(whole(letter("lost-hour")).headers)["cio.replay"] == b"lost-hour"
    assert "cio.replay" not in dict(whole(letter(None)).headers)
