"""What a replay must not do by itself: mail people twice, delete who came back, bring back who was erased."""

import time
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import write_configuration
from tests.servers.replay import Done, replay, run_command
from tests.servers.sandbox import SandboxThread

MAPPING = """
version: 1
defaults: {id: "${who}", timestamp: "${at}"}
rules:
  - {name: event, when: kind == 'event', track: {name: "${name}"}}
  - {name: person, when: kind == 'person', identify: {attributes: {plan: "${plan}"}}}
  - name: profile
    when: kind == 'profile'
    identify: {attributes: {plan: "${plan}", city: "${city}", lang: "${lang}"}}
  - {name: gone, when: kind == 'gone', destroy: {}}
  - {name: quiet, when: kind == 'quiet', suppress: {}}
  - {name: heard, when: kind == 'heard', unsuppress: {}}
"""
_topics = count(1)


class Story:
    """A topic that a test fills, and what a replay of it sends."""

    def __init__(
        self, broker: EmbeddedBrokerProcess, sandbox: SandboxThread, folder: Path, partitions: int = 1
    ) -> None:
        self.topic = f"story-{next(_topics)}"
        self.sandbox = sandbox
        self.now = time.time()
        self._lengths = [0] * partitions
        broker.create_topic(self.topic, partitions)
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        (folder / "mapping.yaml").write_text(MAPPING)
        self.configuration = write_configuration(
            folder,
            bootstrap_servers=broker.bootstrap_servers,
            topic=self.topic,
            base_url=sandbox.base_url,
            mapping={"files": [str(folder / "mapping.yaml")]},
        )

    def add(
        self,
        kind: str,
        who: str,
        hours_ago: float = 1000.0,
        *,
        partition: int = 0,
        written_hours_ago: float = 0.0,
        **fields: Any,
    ) -> int:
        """Write a record about something so long ago; return the offset behind it."""
        value = orjson.dumps({"kind": kind, "who": who, "at": int(self.now - hours_ago * 3_600), **fields})
        written_ms = int((self.now - written_hours_ago * 3_600) * 1000)
        self._producer.produce(self.topic, value, who, partition=partition, timestamp=written_ms)
        assert self._producer.flush(10) == 0
        self._lengths[partition] += 1
        return self._lengths[partition]

    def replay(self, *arguments: str) -> Done:
        return replay(self.configuration, "--from", "earliest", *arguments)

    def calls(self) -> list[str]:
        """Kind and person of every call that arrived, and the event's name."""
        return [
            " ".join(
                part for part in (each["kind"], each["person"].removeprefix("id:"), each["name"]) if part
            )
            for each in self.sandbox.arrivals()
        ]


@pytest.fixture
def story(embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path) -> Story:
    sandbox.reset()
    return Story(embedded_broker, sandbox, tmp_path)


@pytest.fixture
def wide_story(embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path) -> Story:
    """A topic of two partitions."""
    sandbox.reset()
    return Story(embedded_broker, sandbox, tmp_path, partitions=2)


@pytest.fixture
def recent(story: Story) -> Story:
    """Events at 71, 72 and 73 hours (73 is outside the window, just under 72 inside), and one of the future."""
    story.add("person", "a", 71)
    story.add("event", "a", 71, name="at-71")
    story.add("event", "a", 71.95, name="at-72")
    story.add("event", "a", 73, name="at-73")
    story.add("event", "a", -100, name="in-future")
    return story


def test_events_that_may_trigger_campaigns_stop_a_replay_with_the_choices(recent: Story) -> None:
    done = recent.replay()
    assert done.status == 1
    assert "3 events of this replay are not older than 72 hours" in done.errors
    for choice in ("--allow-campaigns", "--older-than 72h", "--drop-recent"):
        assert choice in done.errors
    assert recent.calls() == []


def test_allow_campaigns_sends_everything(recent: Story) -> None:
    assert recent.replay("--allow-campaigns").status == 0
    assert recent.calls() == [
        "identify a",
        "track a at-71",
        "track a at-72",
        "track a at-73",
        "track a in-future",
    ]


def test_older_than_sends_only_what_is_older(recent: Story) -> None:
    done = recent.replay("--older-than", "72h")
    assert done.status == 0, done.errors
    assert recent.calls() == ["track a at-73"]
    assert done.document["left_out"] == {"too_recent": 4}


def test_drop_recent_keeps_the_identifies(recent: Story) -> None:
    done = recent.replay("--drop-recent")
    assert done.status == 0, done.errors
    assert recent.calls() == ["identify a", "track a at-73"]
    assert done.document["left_out"] == {"too_recent": 3}


def test_older_than_less_than_the_window_still_stops(recent: Story) -> None:
    assert recent.replay("--older-than", "71.5h").status == 1
    assert recent.calls() == []


def test_the_window_is_a_setting_and_an_option(recent: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recent.replay("--dry-run").document["window_hours"] == 72
    monkeypatch.setenv("CIO_PIPELINE__REPLAY__CAMPAIGN_WINDOW_HOURS", "100")
    assert recent.replay("--dry-run").document["inside_window"] == 4
    assert recent.replay("--dry-run", "--campaign-window", "71.5h").document["inside_window"] == 2


def test_a_topic_of_old_events_needs_no_choice(story: Story) -> None:
    story.add("event", "a", 200, name="old")
    assert story.replay().status == 0
    assert story.calls() == ["track a old"]


def test_irreversible_calls_are_left_out_unless_allowed(story: Story) -> None:
    story.add("event", "b", name="seen")
    story.add("gone", "a")
    story.add("heard", "b")
    done = story.replay()
    assert done.status == 0, done.errors
    assert story.calls() == ["track b seen"]
    assert done.document["left_out"] == {"irreversible": 2}


def test_irreversible_calls_are_sent_where_that_is_said(story: Story) -> None:
    story.add("event", "b", name="seen")
    story.add("gone", "a")
    assert story.replay("--allow-irreversible").status == 0
    assert sorted(story.calls()) == ["destroy a", "track b seen"]


def test_a_person_erased_behind_the_range_is_not_brought_back(story: Story) -> None:
    story.add("person", "a", plan="pro")
    story.add("event", "a", name="bought")
    end = story.add("event", "b", name="bought")
    story.add("gone", "a")
    done = story.replay("--until", str(end))
    assert done.status == 0, done.errors
    assert story.calls() == ["track b bought"]
    assert done.document["left_out"] == {"erased_later": 2}


def test_a_person_suppressed_behind_the_range_is_left_out_too(story: Story) -> None:
    end = story.add("event", "a", name="bought")
    story.add("quiet", "a")
    assert story.replay("--until", str(end)).status == 0
    assert story.calls() == []


def test_include_erased_sends_them_all_the_same(story: Story) -> None:
    end = story.add("event", "a", name="bought")
    story.add("gone", "a")
    assert story.replay("--until", str(end), "--include-erased").status == 0
    assert story.calls() == ["track a bought"]


def test_a_customer_who_came_back_is_not_deleted(story: Story) -> None:
    story.add("event", "a", name="before")
    story.add("gone", "a")
    story.add("person", "a", plan="pro")
    story.add("event", "a", name="after")
    done = story.replay("--allow-irreversible")
    assert done.status == 0, done.errors
    assert story.calls() == ["identify a", "track a after"]
    assert done.document["left_out"] == {"came_back": 1, "erased_later": 1}


def test_a_customer_who_came_back_behind_the_range_is_not_deleted_either(story: Story) -> None:
    end = story.add("gone", "a")
    story.add("person", "a", plan="pro")
    assert story.replay("--until", str(end), "--allow-irreversible").status == 0
    assert story.calls() == []


def test_a_customer_who_came_back_in_another_partition_is_not_deleted(wide_story: Story) -> None:
    wide_story.add("person", "a", partition=1, written_hours_ago=5, plan="pro")
    for _ in range(300):  # read before the destroy, wherever the reader begins
        wide_story.add("event", "b", partition=0, written_hours_ago=20, name="x")
    wide_story.add("gone", "a", written_hours_ago=6)
    done = wide_story.replay("--allow-irreversible", "--rules", "gone,person")
    assert done.status == 0, done.errors
    assert wide_story.calls() == ["identify a"]
    assert done.document["left_out"] == {"came_back": 1, "other_rule": 300}


def test_a_customer_who_stayed_away_is_deleted_where_that_is_allowed(story: Story) -> None:
    story.add("event", "a", name="before")
    story.add("gone", "a")
    assert story.replay("--allow-irreversible").status == 0
    assert story.calls() == ["destroy a"]


def test_the_bill_names_irreversible_calls_by_kind(story: Story) -> None:
    story.add("gone", "a")
    story.add("quiet", "b")
    story.add("event", "c", name="x")
    bill = story.replay("--dry-run").document
    assert bill["irreversible"] == {"destroy": 1, "suppress": 1}
    assert bill["calls"] == {"track": 1}
    assert story.calls() == []


def test_only_the_people_and_rules_that_were_asked_for(story: Story, tmp_path: Path) -> None:
    for who in ("a", "b", "c"):
        story.add("person", who, plan="pro")
        story.add("event", who, name="x")
    (tmp_path / "people.txt").write_text("a\nid:c\n")
    done = story.replay("--people", f"@{tmp_path / 'people.txt'}", "--rules", "event")
    assert done.status == 0, done.errors
    assert story.calls() == ["track a x", "track c x"]
    assert done.document["left_out"] == {"other_person": 1, "other_rule": 3}


def test_a_folded_identify_that_is_refused_loses_nothing_of_what_it_carried(story: Story) -> None:
    parts: tuple[dict[str, Any], ...] = ({"plan": "gold"}, {"city": "Rome"}, {"lang": "it"})
    for number, attributes in enumerate(parts):
        story.add("profile", "u", 500 - number, **attributes)
    story.sandbox.set_fault("items", indexes=[0], times=1)
    done = story.replay("--identify", "fold")
    assert done.status == 0, done.errors
    document = done.document
    assert (document["calls"], document["delivered"]) == ({"identify": 3}, {})
    assert (document["left_out"], document["dead_letters"]) == ({}, {"rejected": 3})
    retried = run_command("deadletters", "retry", "--config", str(story.configuration))
    assert retried.status == 0, retried.errors
    assert story.sandbox.people()[0]["attributes"] == {"plan": "gold", "city": "Rome", "lang": "it"}


def test_as_new_counts_events_again_and_says_so(story: Story) -> None:
    story.add("event", "a", name="x")
    assert story.replay().status == 0
    again = story.replay("--as-new", "second-workspace", "--name", "again")
    assert again.status == 0, again.errors
    assert "gives every event another id" in again.errors
    assert story.sandbox.counts()["events_counted"] == 2
    third = story.replay("--as-new", "second-workspace", "--name", "third")
    assert third.status == 0
    assert story.sandbox.counts()["events_counted"] == 2, "the same salt gives the same ids"


def test_a_dead_letter_of_as_new_is_retried_under_the_id_that_the_replay_gave_it(story: Story) -> None:
    story.add("event", "a", name="x")
    assert story.replay().status == 0
    story.sandbox.set_fault("items", indexes=[0], times=1)
    refused = story.replay("--as-new", "fix", "--name", "fix")
    assert refused.document["dead_letters"] == {"rejected": 1}, refused.errors
    retried = run_command("deadletters", "retry", "--config", str(story.configuration))
    assert retried.status == 0, retried.errors
    assert story.sandbox.counts()["events_counted"] == 2
    once_more = story.replay("--as-new", "fix", "--name", "once-more")
    assert once_more.status == 0, once_more.errors
    assert story.sandbox.counts()["events_counted"] == 2, "the retry gave the id of the replay"


def test_it_is_said_that_the_guard_against_ghost_profiles_is_the_live_pipelines(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.add("event", "a", name="x")
    assert "ghost profiles" not in story.replay("--dry-run").errors
    monkeypatch.setenv("CIO_PIPELINE__PEOPLE__UNIDENTIFIED", "drop")
    assert "A replay has no guard against ghost profiles" in story.replay("--dry-run").errors


def test_an_identify_as_of_now_wins_over_a_newer_one(story: Story) -> None:
    story.add("person", "a", 500, plan="free")
    story.add("person", "a", 100, plan="pro")
    assert story.replay().status == 0
    assert story.replay("--until", "1", "--name", "late").status == 0
    assert story.sandbox.people()[0]["attributes"] == {"plan": "pro"}, "a stale one undoes nothing"
    assert story.replay("--until", "1", "--as-of", "now", "--name", "now").status == 0
    assert story.sandbox.people()[0]["attributes"] == {"plan": "free"}


def test_folded_identifies_leave_everybody_as_the_single_ones_do(story: Story) -> None:
    story.add("person", "a", 500, plan="free")
    story.add("event", "a", 450, name="x")
    story.add("person", "a", 400, plan="pro")
    story.add("person", "b", 300, plan="team")
    done = story.replay("--identify", "fold")
    assert done.status == 0, done.errors
    assert sorted(story.calls()) == ["identify a", "identify b", "track a x"]
    assert [call for call in story.calls() if call.endswith(("a", "x"))] == ["identify a", "track a x"]
    assert done.document["left_out"] == {"folded": 1}
    assert {person["id"]: person["attributes"] for person in story.sandbox.people()} == {
        "a": {"plan": "pro"},
        "b": {"plan": "team"},
    }


def test_nothing_is_folded_across_a_destroy(story: Story) -> None:
    story.add("person", "a", 500, plan="free")
    story.add("gone", "a")
    story.add("person", "a", 400, plan="pro")
    done = story.replay("--identify", "fold", "--include-erased", "--allow-irreversible")
    assert done.status == 0, done.errors
    assert story.calls() == ["identify a", "destroy a", "identify a"]
    assert story.sandbox.people()[0]["attributes"] == {"plan": "pro"}


def test_the_calls_can_be_written_into_a_file(story: Story, tmp_path: Path) -> None:
    story.add("person", "a", 500, plan="free")
    story.add("event", "a", 450, name="x")
    done = story.replay("--output", str(tmp_path / "calls.jsonl"))
    assert done.status == 0, done.errors
    lines = [orjson.loads(line) for line in (tmp_path / "calls.jsonl").read_bytes().splitlines()]
    assert [line["action"] for line in lines] == ["identify", "event"]
    assert story.calls() == []


def test_a_sandbox_of_its_own_takes_the_calls(story: Story) -> None:
    story.add("event", "a", 450, name="x")
    done = story.replay("--to-sandbox")
    assert done.status == 0, done.errors
    assert done.document["delivered"] == {"track": 1}
    assert done.document["name"] is None, "nothing is kept of a trial"
    assert story.calls() == []
