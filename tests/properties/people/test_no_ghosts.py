"""Whatever happens to a worker, no event makes a profile of somebody who was not identified, and no record is lost."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.unidentified import Unidentified
from tests.fakes.kafka_log import FakeLog
from tests.ghost_stage import P0, P1, Stage

PEOPLE = ("u1", "u2", "u3")
PARTITION = {"u1": 0, "u2": 1, "u3": 0}


@dataclass
class Workspace:
    """What Customer.io does: an event makes a profile where there is none, and counts once."""

    people: set[str] = field(default_factory=set)
    ghosts: list[str] = field(default_factory=list)
    events: set[str] = field(default_factory=set)

    def take(self, payload: bytes) -> None:
        operation = orjson.loads(payload)
        person = operation["identifiers"]["id"]
        match operation["action"]:
            case "identify":
                self.people.add(person)
            case "delete":
                self.people.discard(person)
            case _ if operation["id"] not in self.events:
                self.events.add(operation["id"])
                if person not in self.people:
                    self.ghosts.append(operation["name"])


class Life:
    """One group over several workers, one at a time; the topic and the folder stay."""

    def __init__(self, folder: Path, policy: Unidentified) -> None:
        self.log = FakeLog({"events": 2})
        self._folder, self._policy = folder, policy
        self._files = 0
        self.names: list[str] = []
        self.wanted: set[str] = set()
        self._identified: set[str] = set()
        self.workers: list[Stage] = []
        self.start()

    def start(self) -> None:
        self.workers.append(
            Stage(self._folder, self._policy, log=self.log, file=f"people-{self._files}.sqlite")
        )
        self.worker.run_for(0.2)

    @property
    def worker(self) -> Stage:
        return self.workers[-1]

    def write(self, what: str, person: str) -> None:
        name = f"event {len(self.names)}"
        match what:
            case "event":
                self.names.append(name)
                self.wanted |= {name} if person in self._identified else set()
            case "profile":
                self._identified.add(person)
            case "gone":
                self._identified.discard(person)
        self.worker.event(what, person, partition=PARTITION[person], name=name)

    def end(self, how: str) -> None:
        if how == "crash":
            self.worker.crash()
        else:
            self.worker.source.close()
        if how == "lost":
            self._files += 1
        self.start()

    def go_elsewhere_and_back(self) -> None:
        """Another member settles what is there meanwhile, as this one would, and notes nothing here."""
        self.worker.log.take_away(P1)
        self.worker.run_for(0.3)
        self.worker.log.give_back(P1)
        self.worker.run_for(0.3)

    def is_drained(self) -> bool:
        return all(self.log.committed.get(name, 0) == self.log.partitions[name].high for name in (P0, P1))

    def settle(self) -> None:
        self.worker.run_until(self.is_drained)
        self.worker.source.close()

    @property
    def sent(self) -> list[bytes]:
        return [op.payload for stage in self.workers for batch in stage.inner.sent for op in batch.operations]

    @property
    def dead_letters(self) -> set[str]:
        return {
            orjson.loads(letter.record.value or b"")["name"]
            for stage in self.workers
            for letter in stage.store.safe
        }


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["profile", "event", "event", "gone"]), st.sampled_from(PEOPLE)),
        st.tuples(st.sampled_from(["run", "commit", "crash", "stop", "lost", "elsewhere"]), st.just("")),
    ),
    max_size=25,
)


@settings(max_examples=80 if os.environ.get("CIO_TEST") == "all" else 5, deadline=None)
@given(steps, st.sampled_from([Unidentified.DEAD_LETTER, Unidentified.HOLD_UNTIL_IDENTIFIED]))
def test_no_event_makes_a_profile_and_each_is_delivered_or_a_dead_letter(
    steps: list[tuple[str, str]], policy: Unidentified
) -> None:
    with TemporaryDirectory() as folder:
        life = Life(Path(folder), policy)
        for what, person in steps:
            match what:
                case "run":
                    life.worker.run_for(0.2)
                case "commit":
                    life.worker.run_for(5.5)
                case "crash" | "stop" | "lost":
                    life.end(what)
                case "elsewhere":
                    life.go_elsewhere_and_back()
                case _:
                    life.write(what, person)
        life.settle()
        workspace = Workspace()
        for payload in life.sent:
            workspace.take(payload)
        assert workspace.ghosts == []
        delivered = {
            operation["name"] for payload in life.sent if "name" in (operation := orjson.loads(payload))
        }
        assert delivered | life.dead_letters == set(life.names)
        assert life.wanted <= delivered, "an event of somebody identified was taken for a ghost's"
