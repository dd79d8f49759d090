"""What each operation does to people: the semantics that Customer.io documents, and what it drops in silence."""

from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.sandbox.arrivals import Outcome
from pipeline.sandbox.people import Person, key_of
from pipeline.sandbox.workspace import Workspace

NOW = 1_700_000_000.0


class Account:
    """A workspace, with the operations of the tests in short."""

    def __init__(self) -> None:
        self.workspace = Workspace()

    def take(self, action: str, value: str = "u1", kind: str = "id", **more: Any) -> Outcome:
        operation = {"type": "person", "action": action, "identifiers": {kind: value}, **more}
        assert self.workspace.take(operation, NOW) is None
        return self.workspace.journal.arrivals[-1].outcome

    def identify(
        self, value: str = "u1", kind: str = "id", *, at: float | None = None, **attributes: Any
    ) -> Outcome:
        timed = {} if at is None else {"timestamp": at}
        return self.take("identify", value, kind, attributes=attributes, **timed)

    def track(self, value: str = "u1", kind: str = "id", **more: Any) -> Outcome:
        return self.take("event", value, kind, name="n", **more)

    def merge(self, primary: Mapping[str, str], secondary: Mapping[str, str]) -> Outcome:
        operation = {"type": "person", "action": "merge", "primary": primary, "secondary": secondary}
        assert self.workspace.take(operation, NOW) is None
        return self.workspace.journal.arrivals[-1].outcome

    def find(self, value: str = "u1", kind: str = "id") -> Person | None:
        return self.workspace.people.find(key_of(kind, value))

    def person(self, value: str = "u1", kind: str = "id") -> Person:
        person = self.find(value, kind)
        assert person is not None
        return person


@pytest.fixture
def account() -> Account:
    return Account()


def test_identify_creates_then_updates_and_omission_removes_nothing(account: Account) -> None:
    account.identify(plan="free", age=1)
    account.identify(plan="pro")
    assert account.person().attributes == {"plan": "pro", "age": 1}
    assert len(account.workspace.people) == 1


@pytest.mark.parametrize("empty", [None, ""])
def test_null_and_the_empty_text_remove_an_attribute(account: Account, empty: str | None) -> None:
    account.identify(plan="free", age=1)
    account.identify(plan=empty)
    assert account.person().attributes == {"age": 1}


def test_a_stale_identify_is_skipped(account: Account) -> None:
    account.identify(at=100, plan="new")
    assert account.identify(at=99, plan="old", other=1) is Outcome.STALE
    assert account.person().attributes == {"plan": "new"}
    assert account.identify(at=100, plan="newer") is Outcome.APPLIED


def test_the_time_may_be_an_attribute_as_in_v1(account: Account) -> None:
    account.identify(_timestamp=100, plan="new")
    assert account.identify(_timestamp=99, plan="old") is Outcome.STALE
    assert account.person().attributes == {"plan": "new"}


@pytest.mark.parametrize("bad", ["2020-01-01T00:00:00Z", True, None, "x", {}])
def test_a_time_that_is_none_becomes_the_time_of_receipt(account: Account, bad: Any) -> None:
    account.take("identify", attributes={"a": 1}, timestamp=bad)
    assert account.person().attributes_at == NOW


def test_update_only_creates_nobody(account: Account) -> None:
    assert account.identify(_update=True, plan="pro") is Outcome.UNKNOWN
    assert account.find() is None
    account.identify(plan="free")
    assert account.identify(_update=True, plan="pro") is Outcome.APPLIED
    assert account.person().attributes == {"plan": "pro"}


def test_ids_tell_upper_case_from_lower_and_emails_do_not(account: Account) -> None:
    account.identify("U1")
    account.identify("u1")
    account.identify("A@b.co", "email")
    account.identify("a@B.co", "email")
    assert len(account.workspace.people) == 3


def test_a_new_id_with_a_known_email_updates_the_person_who_has_it(account: Account) -> None:
    account.identify("a@b.co", "email", plan="free")
    account.identify("u1", email="a@b.co", plan="pro")
    assert account.person("u1") is account.person("a@b.co", "email")
    assert len(account.workspace.people) == 1


def test_an_email_of_somebody_else_changes_nothing(account: Account) -> None:
    account.identify("u1", email="a@b.co")
    account.identify("u2", plan="free")
    assert account.identify("u2", email="a@b.co", plan="pro") is Outcome.CONFLICT
    assert account.person("u2").attributes == {"plan": "free"}


def test_an_id_without_email_and_an_email_without_id_become_one_person(account: Account) -> None:
    account.identify("u1", plan="pro")
    account.identify("a@b.co", "email", city="Bonn")
    account.identify("u1", email="a@b.co")
    assert len(account.workspace.people) == 1
    assert account.person("a@b.co", "email").attributes == {"plan": "pro", "city": "Bonn"}


def test_an_old_email_finds_nobody_after_it_changed(account: Account) -> None:
    account.identify("u1", email="old@b.co")
    account.identify("u1", email="new@b.co")
    assert account.find("old@b.co", "email") is None
    assert account.person("new@b.co", "email") is account.person("u1")


def test_an_event_creates_the_person(account: Account) -> None:
    account.track("new")
    assert account.person("new").attributes == {}


def test_an_event_of_an_unknown_cio_id_is_dropped(account: Account) -> None:
    assert account.track("a999", "cio_id") is Outcome.UNKNOWN
    assert len(account.workspace.people) == 0


def test_a_person_is_found_by_cio_id_with_and_without_its_prefix(account: Account) -> None:
    account.identify("u1")
    cio_id = account.person().cio_id
    account.identify(cio_id, "cio_id", a=1)
    account.identify(f"cio_{cio_id}", "cio_id", b=2)
    assert account.person().attributes == {"a": 1, "b": 2}


def test_a_repeated_event_id_is_dropped_whoever_it_is_about(account: Account) -> None:
    assert account.track("u1", id="X") is Outcome.APPLIED
    assert account.track("u2", id="X") is Outcome.DUPLICATE
    assert account.track("u1") is Outcome.APPLIED
    assert account.track("u1") is Outcome.APPLIED
    assert account.workspace.journal.events_counted == 3
    assert account.find("u2") is None


def test_an_anonymous_event_makes_no_person(account: Account) -> None:
    assert account.track("an", "anonymous_id") is Outcome.APPLIED
    assert len(account.workspace.people) == 0


def test_an_anonymous_visitor_turns_out_to_be_a_person(account: Account) -> None:
    account.identify("u1", anonymous_id="an")
    account.track("an", "anonymous_id")
    assert [arrival.kind for arrival in account.person().history] == ["identify", "track"]
    assert account.person().attributes == {}


def test_a_deleted_person_is_created_afresh(account: Account) -> None:
    account.identify(plan="pro", email="a@b.co")
    account.take("delete")
    assert account.find() is None
    assert account.find("a@b.co", "email") is None
    account.identify(at=1, city="Bonn")
    assert account.person().attributes == {"city": "Bonn"}


def test_deleting_nobody_is_no_error(account: Account) -> None:
    assert account.take("delete", "nobody") is Outcome.APPLIED


def test_a_suppressed_person_is_gone_under_every_name_until_unsuppressed(account: Account) -> None:
    account.identify("u1", email="a@b.co")
    account.take("suppress")
    assert account.identify("a@b.co", "email") is Outcome.SUPPRESSED
    assert account.track("u1") is Outcome.SUPPRESSED
    assert len(account.workspace.people) == 0
    account.take("unsuppress")
    assert account.identify("a@b.co", "email") is Outcome.APPLIED


def test_a_merge_keeps_what_primary_has_and_takes_over_the_rest(account: Account) -> None:
    account.identify("u1", plan="pro")
    account.identify("u2", email="a@b.co", plan="free", city="Bonn")
    account.track("u2")
    assert account.merge({"id": "u1"}, {"id": "u2"}) is Outcome.APPLIED
    assert account.person("a@b.co", "email").attributes == {"plan": "pro", "city": "Bonn"}
    assert account.find("u2") is None
    assert [arrival.kind for arrival in account.person("u1").history] == [
        "identify",
        "identify",
        "track",
        "merge",
    ]


def test_a_merge_into_nobody_does_nothing(account: Account) -> None:
    account.identify("u2")
    assert account.merge({"id": "u1"}, {"id": "u2"}) is Outcome.UNKNOWN
    assert account.find("u2") is not None


def test_devices_come_and_go(account: Account) -> None:
    account.take("add_device", device={"token": "t", "platform": "ios", "last_used": 5})
    assert account.person().devices == {"t": {"platform": "ios", "last_used": 5.0}}
    account.take("delete_device", device={"token": "t"})
    assert account.person().devices == {}


def test_people_relate_to_objects_from_either_side(account: Account) -> None:
    thing = {"object_type_id": "1", "object_id": "acme"}
    relations = [{"identifiers": thing, "relationship_attributes": {"role": "admin"}}]
    account.take("add_relationships", cio_relationships=relations)
    cio_id = account.person().cio_id
    assert account.workspace.objects["object:1:acme"].related == {cio_id: {"role": "admin"}}
    operation = {
        "type": "object",
        "action": "delete_relationships",
        "identifiers": thing,
        "cio_relationships": [{"identifiers": {"id": "u1"}}],
    }
    assert account.workspace.take(operation, NOW) is None
    assert account.workspace.objects["object:1:acme"].related == {}


def test_subscription_preferences_are_joined_from_both_spellings(account: Account) -> None:
    account.identify(cio_subscription_preferences={"topics": {"topic_1": True, "topic_2": True}})
    account.take("identify", attributes={"cio_subscription_preferences.topics.topic_1": False})
    topics = account.person().attributes["cio_subscription_preferences"]["topics"]
    assert topics == {"topic_1": False, "topic_2": True}


def test_the_journal_keeps_what_arrived_in_its_order_also_of_people_who_are_gone(account: Account) -> None:
    account.identify(plan="pro")
    account.track()
    account.take("delete")
    account.identify(plan="free")
    history = account.workspace.journal.by_person["id:u1"]
    assert [arrival.kind for arrival in history] == ["identify", "track", "destroy", "identify"]
    assert [arrival.number for arrival in history] == [0, 1, 2, 3]
