"""The API about dead letters: what it shows to whom, and that nothing is sent that was not looked at first."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.cli.admin_page import parts_of
from pipeline.config import load_settings
from pipeline.deadletters.plan import Course
from pipeline.operations.admin import AdminServer
from pipeline.operations.admin_access import Access
from pipeline.operations.admin_application import admin_application
from tests.servers.pipeline import wait_until
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread
from tests.unit.deadletters.letters_made import letter, record, write

EMAIL = "ada@shop.example"
NAMELESS = ["mapping_error", "order", "name"]
UNDECODABLE = ["undecodable", None, None]
Open = Callable[..., "Page"]


class Page:
    """What the page does: it asks, with what a browser would send along."""

    def __init__(self, server: AdminServer) -> None:
        self._http = httpx.Client(base_url=f"http://{server.address}", trust_env=False, timeout=90)
        self._csrf = self._http.get("/api/session").json()["csrf"]

    def get(self, path: str) -> Any:
        return self._http.get(f"/api/deadletters{path}").json()

    def post(self, path: str, status: int = 200, **question: Any) -> Any:
        return self.ask(f"/api/deadletters{path}", status, **question)

    def ask(self, path: str, status: int = 200, **question: Any) -> Any:
        headers = {"X-CSRF-Token": self._csrf, "Origin": str(self._http.base_url).rstrip("/")}
        answer = self._http.post(path, json=question, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def open_page(tmp_path: Path, sandbox: SandboxThread) -> Iterator[Open]:
    """Starts an admin server for a folder with four dead letters of three kinds."""
    sandbox.reset()
    settings = {
        "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": "events", "group_id": "g"},
        "customerio": {"site_id": SITE_ID, "api_key": API_KEY, "base_url": sandbox.base_url},
        "mapping": {"files": "mapping.yaml"},
        "deadletters": {"file": "dead.jsonl"},
    }
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(settings))
    order = {"name": "order", "when": "user != 'gone'", "track": {"name": "ordered", "id": "${user}"}}
    deletion = {"name": "deletion", "when": "user == 'gone'", "destroy": {"id": "${user}"}}
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump({"version": 1, "rules": [order, deletion]}))
    write(
        tmp_path / "dead.jsonl",
        letter(record(1, value={"user": EMAIL}), field="name", text="the name is not a text"),
        letter(record(2, value={"user": EMAIL}), at_ms=60_000, field="name", text="the name is not a text"),
        letter(record(3, value={"user": EMAIL}), None, reason=Reason.UNDECODABLE, text="no JSON at byte 3"),
        letter(record(4, value={"user": "gone"}), None, reason=Reason.UNMATCHED, text="no rule matches"),
    )
    opened: list[tuple[AdminServer, Page]] = []

    def start(*, payloads: bool = True) -> Page:
        parts = parts_of(load_settings(tmp_path / "pipeline.yaml", {}), payloads=payloads)
        server = AdminServer("127.0.0.1:0", admin_application(None, Access(payloads=payloads), parts))
        server.start()
        opened.append((server, Page(server)))
        return opened[-1][1]

    yield start
    for server, page in opened:
        page.close()
        server.stop()


def ended(page: Page) -> dict[str, Any]:
    wait_until(lambda: page.get("/retry")["state"] in {"done", "failed"}, "ended")
    found: dict[str, Any] = page.get("/retry")
    return found


@pytest.mark.full
def test_a_retry_sends_exactly_what_was_looked_at(open_page: Open, sandbox: SandboxThread) -> None:
    page = open_page()
    seen = page.post("/preview", group=NAMELESS)
    assert seen["courses"] == {"send": 2}
    assert seen["calls"] == {"track": 2}
    assert sandbox.counts()["requests"] == 0
    page.post("/retry", ticket=seen["ticket"], status=202)
    now = ended(page)
    assert (now["state"], now["delivered"], now["calls"]) == ("done", 2, 2)
    assert sandbox.counts()["calls"] == {"track": 2}
    assert [group["reason"] for group in page.get("")["groups"]] == ["undecodable", "unmatched"]


@pytest.mark.full
@pytest.mark.parametrize("change", ["a letter more", "a newer entry", "a letter less", "the mapping"])
def test_what_has_changed_since_it_was_looked_at_is_not_sent(
    open_page: Open, sandbox: SandboxThread, tmp_path: Path, change: str
) -> None:
    page = open_page()
    ticket = page.post("/preview", group=NAMELESS)["ticket"]
    match change:
        case "a letter more":
            write(tmp_path / "dead.jsonl", letter(record(9, value={"user": EMAIL}), field="name"))
        case "a newer entry":
            again = letter(record(2, value={"user": EMAIL}), at_ms=90_000, field="name")
            write(tmp_path / "dead.jsonl", again)
        case "a letter less":
            page.post("/dismiss", position="events/3@1", count=1)
        case "the mapping":
            mapping = tmp_path / "mapping.yaml"
            mapping.write_text(mapping.read_text().replace("ordered", "bought"))
    page.post("/retry", ticket=ticket, status=202)
    now = ended(page)
    assert now["state"] == "failed"
    assert "have changed since they were shown; nothing was sent: look again" in now["text"]
    assert sandbox.counts()["requests"] == 0
    page.post("/retry", ticket=page.post("/preview", group=NAMELESS)["ticket"], status=202)
    assert ended(page)["state"] == "done"


@pytest.mark.full
@pytest.mark.parametrize("which", [{"group": NAMELESS}, {"position": "events/3@1"}])
def test_people_whose_deletion_is_a_dead_letter_of_another_group_are_not_brought_back(
    open_page: Open, sandbox: SandboxThread, tmp_path: Path, which: dict[str, Any]
) -> None:
    order = {"name": "order", "when": "deleted == `null`", "track": {"name": "ordered", "id": "${user}"}}
    deletion = {"name": "deletion", "when": "deleted != `null`", "destroy": {"id": "${user}"}}
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump({"version": 1, "rules": [order, deletion]}))
    source = CallSource("deletion", CallKind.DESTROY)
    write(tmp_path / "dead.jsonl", letter(record(7, value={"user": EMAIL, "deleted": True}), source))
    page = open_page()
    seen = page.post("/preview", **which)
    assert seen["courses"] == {"erased": seen["dead_letters"]}
    page.post("/retry", ticket=seen["ticket"], status=202)
    assert ended(page)["erased"] == seen["dead_letters"]
    assert sandbox.counts()["requests"] == 0


def test_the_page_says_why_each_dead_letter_is_left_out() -> None:
    script = (files("pipeline.operations") / "web" / "deadletters_actions.js").read_text()
    explained = script.partition("const LEFT = {")[2].partition("};")[0]
    left = {str(course) for course in Course} - {Course.SEND} | {"failed"}
    assert left == {line.split(":")[0].strip() for line in explained.strip().splitlines()}


@pytest.mark.full
def test_without_a_look_nothing_is_sent_and_a_ticket_holds_once(
    open_page: Open, sandbox: SandboxThread
) -> None:
    page = open_page()
    assert page.post("/retry", ticket="made up", status=409)["error"] == "ticket"
    ticket = page.post("/preview", group=NAMELESS)["ticket"]
    page.post("/retry", ticket=ticket, status=202)
    ended(page)
    assert page.post("/retry", ticket=ticket, status=409)["error"] == "ticket"
    assert sandbox.counts()["calls"] == {"track": 2}


@pytest.mark.full
def test_what_cannot_be_undone_is_left_out_unless_it_was_looked_at_that_way(
    open_page: Open, sandbox: SandboxThread
) -> None:
    page = open_page()
    seen = page.post("/preview", group=["unmatched", None, None])
    assert seen["courses"] == {"irreversible": 1}
    page.post("/retry", ticket=seen["ticket"], status=202)
    assert ended(page)["irreversible"] == 1
    assert sandbox.counts()["calls"] == {}
    seen = page.post("/preview", group=["unmatched", None, None], allow_irreversible=True)
    page.post("/retry", ticket=seen["ticket"], status=202)
    assert ended(page)["delivered"] == 1
    assert sandbox.counts()["calls"] == {"destroy": 1}


@pytest.mark.full
def test_groups_and_their_letters_show_no_data(open_page: Open) -> None:
    page = open_page(payloads=False)
    groups = page.get("")
    assert groups["dead_letters"] == 4
    (nameless,) = [group for group in groups["groups"] if group["reason"] == "mapping_error"]
    assert (nameless["rule"], nameless["field"], nameless["count"]) == ("order", "name", 2)
    found = page.post("/group", group=NAMELESS)
    assert [each["position"] for each in found["each"]] == ["events/3@1", "events/3@2"]
    assert EMAIL not in str([groups, found])


@pytest.mark.full
def test_an_original_is_hidden_until_it_is_asked_for_and_nowhere_when_payloads_are_off(
    open_page: Open,
) -> None:
    page = open_page()
    hidden = page.post("/letter", position="events/3@1")
    assert EMAIL not in str(hidden)
    assert hidden["records"][0]["dead_letters"][0]["text"] == "the name is not a text"
    revealed = page.post("/letter", position="events/3@1", reveal=True)
    assert revealed["records"][0]["original"]["value"] == {"user": EMAIL}
    closed = open_page(payloads=False)
    assert closed.post("/letter", position="events/3@1", reveal=True, status=403)["error"] == "payloads"


@pytest.mark.full
def test_dismissed_letters_are_off_the_list_and_more_than_were_seen_are_not_dismissed(
    open_page: Open,
) -> None:
    page = open_page()
    assert "look again" in page.post("/dismiss", group=NAMELESS, count=1, status=422)["text"]
    assert page.post("/dismiss", group=NAMELESS, count=2) == {"dismissed": 2}
    assert page.post("/dismiss", position="events/3@3", count=1) == {"dismissed": 1}
    assert page.get("")["dead_letters"] == 1


@pytest.mark.full
def test_a_retry_that_customerio_refuses_is_told_and_loses_nothing(
    open_page: Open, sandbox: SandboxThread
) -> None:
    page = open_page()
    sandbox.set_fault("status", status=401)
    try:
        page.post("/retry", ticket=page.post("/preview", group=NAMELESS)["ticket"], status=202)
        now = ended(page)
    finally:
        sandbox.clear_faults()
    assert now["state"] == "failed"
    assert "the retry stopped" in now["text"]
    assert page.get("")["dead_letters"] == 4


def test_where_payloads_are_off_no_sample_and_no_person_is_read(open_page: Open) -> None:
    page = open_page(payloads=False)
    for path, question in (
        ("/api/samples", {"topic": "events"}),
        ("/api/person", {"whom": EMAIL}),
        ("/api/deadletters/letter", {"position": "events/3@1"}),
    ):
        assert page.ask(path, status=403, **question)["error"] == "payloads"


def test_only_topics_of_the_pipeline_are_sampled(open_page: Open) -> None:
    assert open_page().ask("/api/samples", status=400, topic="salaries")["error"] == "topic"


def test_a_question_that_is_none_is_refused(open_page: Open) -> None:
    page = open_page()
    for path, question in (
        ("/group", {"group": ["a"]}),
        ("/preview", {}),
        ("/preview", {"group": NAMELESS, "position": "t/0@0"}),
        ("/preview", {"group": NAMELESS, "allow_irreversible": "yes"}),
        ("/dismiss", {"group": NAMELESS, "count": 0}),
        ("/letter", {"position": "t/0@0", "more": 1}),
    ):
        assert page.post(path, status=400, **question)["error"] == "request"
