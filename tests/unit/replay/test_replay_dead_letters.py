"""A dead letter of a replay says so wherever it is kept; one of the live pipeline looks as it always did."""

import pytest

from pipeline.calls import Reason
from pipeline.deadletters.entry import DeadLetter, Resolution
from pipeline.deadletters.json_lines import from_line, resolution_line, to_line
from pipeline.kafka.dead_letter_message import whole
from pipeline.records import Record


def letter(replay: str | None, as_new: str | None = None) -> DeadLetter:
    record = Record("t", 0, 1, b"k", b"v")
    return DeadLetter(record, Reason.REJECTED, "refused", 5, replay=replay, as_new=as_new)


@pytest.mark.parametrize("as_new", ["order-fix", None])
@pytest.mark.parametrize("replay", ["lost-hour", None])
def test_a_line_keeps_the_name_of_the_replay_and_its_salt(replay: str | None, as_new: str | None) -> None:
    assert from_line(to_line(letter(replay, as_new))) == letter(replay, as_new)


def test_a_resolution_ends_the_letter_of_one_salt_alone() -> None:
    resolution = Resolution(letter("fix", "order-fix").key, 5, 6)
    assert from_line(resolution_line(resolution)) == resolution
    assert resolution.key not in {letter("fix", "other").key, letter(None).key}


def test_a_message_has_headers_for_the_replay_only_where_there_is_one() -> None:
    headers = dict(whole(letter("lost-hour", "order-fix")).headers)
    assert (headers["cio.replay"], headers["cio.as_new"]) == (b"lost-hour", b"order-fix")
    assert {"cio.replay", "cio.as_new"}.isdisjoint(dict(whole(letter(None)).headers))
