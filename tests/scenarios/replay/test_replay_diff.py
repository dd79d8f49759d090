"""`replay --diff`: what a change of the mapping does to the records of a topic."""

from pathlib import Path

import pytest

from pipeline.presets_folder import presets_folder
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import write_configuration
from tests.servers.replay import Done, replay
from tests.servers.shop_topic import write_shop

OLD = presets_folder() / "demo.yaml"
RECORDS = 800


@pytest.fixture(scope="module")
def configuration(embedded_broker: EmbeddedBrokerProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    topic = "differing-shop"
    embedded_broker.create_topic(topic, 2)
    write_shop(embedded_broker.bootstrap_servers, topic, RECORDS, people=40, partitions=2)
    return write_configuration(
        tmp_path_factory.mktemp("diff"),
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic=topic,
        base_url="http://127.0.0.1:9",
    )


def changed(folder: Path, **replacements: str) -> Path:
    """The demo's mapping with changes; each name stands for a text of it."""
    text = OLD.read_text("utf-8")
    for old, new in replacements.items():
        assert TEXTS[old] in text
        text = text.replace(TEXTS[old], new)
    path = folder / "new.yaml"
    path.write_text(text.partition("\ntests:")[0] + "\n")
    return path


TEXTS = {
    "currency": "currency: ${upper(order.currency)}",
    "cancelled_name": "name: subscription_cancelled",
    "deletion": "  - name: deletion\n    when: type == 'user.deleted'\n    destroy: {}\n",
    "referrer": "referrer: ${page.referrer}",
}


def diff(configuration: Path, new: Path, *arguments: str) -> Done:
    return replay(configuration, "--from", "earliest", "--diff", str(OLD), str(new), *arguments)


def test_the_same_mapping_makes_no_difference(configuration: Path, tmp_path: Path) -> None:
    done = diff(configuration, changed(tmp_path), "--fail-on-change")
    assert done.status == 0, done.errors
    assert done.document["records"] == RECORDS
    assert done.document["records_changed"] == 0


def test_a_changed_field_is_counted_with_examples_and_masked(configuration: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, currency="currency: ${order.currency}")
    done = diff(configuration, new)
    assert done.status == 0, done.errors
    document = done.document
    (field,) = document["fields"]
    assert (field["rule"], field["field"]) == ("order", "attributes.currency")
    assert field["count"] == document["rules"]["order"]["changed"] == document["total"]["changed"] > 0
    assert len(field["examples"]) == 3
    assert field["examples"][0]["old"] == "(text, 3 characters)"
    assert "EUR" not in done.output
    shown = diff(configuration, new, "--show-data").document
    assert shown["fields"][0]["examples"][0]["old"] == "EUR"
    assert shown["fields"][0]["examples"][0]["new"] == "eur"


def test_a_removed_rule_removes_its_calls(configuration: Path, tmp_path: Path) -> None:
    document = diff(configuration, changed(tmp_path, deletion="")).document
    (call,) = document["calls"]
    assert (call["change"], call["rule"], call["kind"]) == ("removed", "deletion", "destroy")
    assert document["total"]["removed"] == call["count"] > 0
    assert document["total"]["added"] == document["total"]["changed"] == 0


def test_a_renamed_event_is_a_changed_call_with_another_id(configuration: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, cancelled_name="name: cancelled")
    fields = {each["field"] for each in diff(configuration, new).document["fields"]}
    assert fields == {"name", "id"}


def test_an_error_in_the_new_rules_shows_as_failures(configuration: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, referrer="referrer: ${abs(page.title)}")
    document = diff(configuration, new).document
    assert [each["reason"] for each in document["failures"] if each["change"] == "added"] == ["mapping_error"]
    assert document["rules"]["page"]["removed"] > 0


def test_fail_on_change_is_for_ci(configuration: Path, tmp_path: Path) -> None:
    assert diff(configuration, changed(tmp_path, deletion=""), "--fail-on-change").status == 1


def test_a_page_can_be_attached_to_a_pull_request(configuration: Path, tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    new = changed(tmp_path, currency="currency: ${order.currency}", deletion="")
    assert diff(configuration, new, "--html", str(page)).status == 0
    text = page.read_text("utf-8")
    for words in ("By rule", "attributes.currency", "deletion", "removed"):
        assert words in text
    assert "EUR" not in text
    assert "http" not in text, "it needs nothing beside itself"


def test_only_the_range_that_was_asked_for_is_mapped(configuration: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, currency="currency: ${order.currency}")
    bounds = ("--from", "0:10", "--from", "1:0", "--until", "0:60", "--until", "1:25")
    whole = replay(configuration, *bounds, "--diff", str(OLD), str(new)).document
    assert whole["records"] == 50 + 25
    first = replay(
        configuration, "--partitions", "0", "--from", "10", "--until", "60", "--diff", str(OLD), str(new)
    ).document
    assert first["records"] == 50
    assert first["total"]["changed"] < whole["total"]["changed"]


def test_only_the_rules_that_were_asked_for_are_compared(configuration: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, currency="currency: ${order.currency}", deletion="")
    document = diff(configuration, new, "--rules", "deletion,page").document
    assert set(document["rules"]) == {"deletion", "page"}, "the new mapping has no rule 'deletion' any more"
    assert document["total"]["removed"] > 0
    assert document["total"]["changed"] == 0
    wrong = diff(configuration, new, "--rules", "delation")
    assert (wrong.status, "did you mean 'deletion'?" in wrong.errors) == (2, True)


def test_only_the_people_who_were_asked_for_are_compared(configuration: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, currency="currency: ${order.currency}")
    everybody = diff(configuration, new).document["total"]
    (tmp_path / "people.txt").write_text("u-000001\nid:u-000002\n")
    two = diff(configuration, new, "--people", f"@{tmp_path / 'people.txt'}").document["total"]
    one = diff(configuration, new, "--people", "u-000001").document["total"]
    assert 0 < one["same"] < two["same"] < everybody["same"]
    assert one["changed"] <= two["changed"] < everybody["changed"]


def test_a_mapping_that_would_have_no_effect_is_refused(configuration: Path, tmp_path: Path) -> None:
    done = diff(configuration, changed(tmp_path), "--mapping", str(OLD))
    assert (done.status, "--mapping has no effect on --diff" in done.errors) == (2, True)


def test_a_wrong_mapping_is_told_with_its_place(configuration: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\nrules:\n  - name: x\n    whem: true\n")
    done = diff(configuration, wrong)
    assert done.status == 2
    assert f"{wrong}:4" in done.errors
