"""The file of known people: bounded, shared between workers, and no loss when it is lost."""

import sqlite3
from pathlib import Path

import pytest

from pipeline.calls import Identity, IdentityKind
from pipeline.errors import ConfigurationError
from pipeline.people.register import Known, Register, name_of
from pipeline.records import TopicPartition

P0, P1 = TopicPartition("events", 0), TopicPartition("events", 1)
IDENTIFIED, WITH_EMAIL = Known(identified=True, email=False), Known(identified=True, email=True)
DAY = 20_000


def person(value: str, kind: IdentityKind = IdentityKind.ID) -> bytes:
    return name_of(Identity(kind, value))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


@pytest.fixture
def register(path: Path) -> Register:
    return Register(path, 1_000)


def test_what_is_noted_is_known_at_once_and_after_a_restart(register: Register, path: Path) -> None:
    register.note(person("u1"), IDENTIFIED, DAY)
    assert register.find(person("u1"), DAY) == IDENTIFIED
    assert register.flush({P0: 10})
    register.close()
    again = Register(path, 1_000)
    assert again.find(person("u1"), DAY) == IDENTIFIED
    assert again.find(person("u2"), DAY) is None
    assert (again.read_up_to(P0), again.read_up_to(P1)) == (10, None)


def test_what_was_not_flushed_is_not_said_to_be_read(register: Register, path: Path) -> None:
    assert register.flush({P0: 10})
    register.note(person("u1"), IDENTIFIED, DAY)
    register.close()
    again = Register(path, 1_000)
    assert again.find(person("u1"), DAY) is None
    assert again.read_up_to(P0) == 10


def test_an_older_position_takes_nothing_back(register: Register) -> None:
    assert register.flush({P0: 10})
    assert register.flush({P0: 5})
    assert register.read_up_to(P0) == 10


def test_the_names_of_a_person_are_forgotten_together_whichever_is_named(register: Register) -> None:
    email = person("ada@b.c", IdentityKind.EMAIL)
    for gone in (person("u1"), email):
        for flushed in (False, True):
            register.note(person("u1"), WITH_EMAIL, DAY)
            register.note(email, WITH_EMAIL, DAY, person("u1"))
            register.note(person("u2"), IDENTIFIED, DAY)
            if flushed:
                register.flush({})
            register.forget(gone)
            assert register.find(person("u1"), DAY) is None
            assert register.find(email, DAY) is None
            assert register.find(person("u2"), DAY) == IDENTIFIED
            register.flush({})
            assert register.find(email, DAY) is None


def test_beyond_its_bound_it_forgets_those_not_seen_for_longest(path: Path) -> None:
    register = Register(path, 10)
    for number in range(10):
        register.note(person(f"u{number}"), IDENTIFIED, DAY + number)
    register.flush({})
    assert register.find(person("u0"), DAY + 50) == IDENTIFIED  # seen again today
    register.note(person("new"), IDENTIFIED, DAY + 50)
    register.flush({})
    left = {name for name in ["new", *(f"u{n}" for n in range(10))] if register.find(person(name), DAY + 50)}
    assert left == {"new", "u0", *(f"u{number}" for number in range(2, 10))}


def test_profiles_are_counted_by_day(register: Register, path: Path) -> None:
    for day in (DAY, DAY, DAY + 1):
        register.count_made(day)
    assert (register.made_on(DAY), register.made_on(DAY + 1), register.made_on(DAY + 2)) == (2, 1, 0)
    register.flush({})
    other = Register(path, 1_000)
    other.count_made(DAY)
    other.flush({})
    assert register.made_on(DAY) == 3, "workers of one machine count together"


def test_two_workers_share_what_they_know(register: Register, path: Path) -> None:
    other = Register(path, 1_000)
    register.note(person("u1"), IDENTIFIED, DAY)
    register.flush({P0: 10})
    other.note(person("u2"), WITH_EMAIL, DAY)
    other.flush({P1: 20})
    assert other.find(person("u1"), DAY) == IDENTIFIED
    assert register.find(person("u2"), DAY) == WITH_EMAIL
    assert register.read_up_to(P1) == 20


def test_a_file_that_cannot_be_written_keeps_the_notes_for_the_next_time(
    register: Register, path: Path
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    register._database.execute("PRAGMA busy_timeout = 1")
    other.execute("BEGIN IMMEDIATE")
    register.note(person("u1"), IDENTIFIED, DAY)
    assert not register.flush({P0: 10})
    assert register.find(person("u1"), DAY) == IDENTIFIED
    other.execute("ROLLBACK")
    assert register.flush({P0: 10})
    assert Register(path, 1_000).read_up_to(P0) == 10


def test_no_name_of_a_person_is_in_the_file(register: Register, path: Path) -> None:
    register.note(person("ada.lovelace@shop.example", IdentityKind.EMAIL), IDENTIFIED, DAY)
    register.flush({})
    register.close()
    assert all(b"lovelace" not in file.read_bytes() for file in path.parent.iterdir())


def test_a_damaged_file_is_a_clear_error(path: Path) -> None:
    path.write_bytes(b"this is no database, but long enough to be taken for one" * 100)
    with pytest.raises(ConfigurationError, match="delete the file: it is made anew from the topics"):
        Register(path, 1_000)


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"set people\.known_file"):
        Register(tmp_path / "missing" / "people.sqlite", 1_000)
