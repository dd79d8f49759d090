"""What calls tell about people: who is identified, with or without an e-mail address, and whose profile exists."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipeline.calls import COUNTED_KINDS, CallKind, Identity, IdentityKind
from pipeline.delivery.batch import ABANDONED, Abandoned, Confirmed, Operation, Outcome
from pipeline.people.names import attributes_of, email_of, secondary_of
from pipeline.people.register import Known, Register, name_of
from pipeline.translation import Prepared

MAKING_KINDS = COUNTED_KINDS | {CallKind.ADD_DEVICE, CallKind.RELATE}
"""Calls that are about a person and make a profile for one whom Customer.io does not know."""
ENDING_KINDS = frozenset({CallKind.DESTROY, CallKind.SUPPRESS})
"""Calls that end a profile."""
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a call gives a person, and what it tells about them. The first is how the call is addressed."""

    names: tuple[bytes, ...]
    known: Known


def can_be_a_ghost(identity: Identity | None) -> bool:
    """Tell whether a call to this name can make a profile.

    A visitor has none, and a `cio_id` is of one that exists or is passed over.
    """
    return identity is not None and identity.kind not in {IdentityKind.ANONYMOUS_ID, IdentityKind.CIO_ID}


class KnownPeople:
    """The register, and over it what calls on their way will make true.

    An identify counts from when it is made, because what is made behind it arrives behind it. If it is refused after
    all, what it told is taken back. `count_made` is called for each profile that was made.
    """

    def __init__(
        self, register: Register, now: Callable[[], float], count_made: Callable[[], None] = lambda: None
    ) -> None:
        self._register = register
        self._now = now
        self._count_made = count_made
        self._under_way: dict[bytes, dict[int, Known]] = {}
        self._operations: dict[int, tuple[Operation, Names, bool]] = {}
        self._new_under_way = 0

    def find(self, name: bytes) -> Known | None:
        """Return what is known of a name, or will be when what is on its way has arrived."""
        known = self._register.find(name, self._day())
        for other in self._under_way.get(name, {}).values():
            known = other if known is None else Known(known.identified or other.identified, other.email)
        return known

    def told(self, identity: Identity, kind: CallKind, payload: bytes) -> Names:
        """Return what an identify, or another call that makes a profile, tells."""
        name = name_of(identity)
        by_email = identity.kind is IdentityKind.EMAIL
        if kind is not CallKind.IDENTIFY:
            return Names((name,), Known(identified=False, email=by_email))
        attributes = attributes_of(payload)
        email = email_of(attributes)
        before = self.find(name)
        kept = "email" not in attributes and before is not None and before.email
        known = Known(identified=True, email=by_email or email is not None or kept)
        return Names((name,) if email is None or by_email else (name, name_of(email)), known)

    def makes_profile(self, names: Names) -> bool:
        """Tell whether nobody has any of these names."""
        return all(self.find(name) is None for name in names.names)

    @property
    def profiles_today(self) -> int:
        """Profiles that were made today, or will be by what is on its way."""
        return self._register.made_on(self._day()) + self._new_under_way

    def take(self, operation: Operation) -> tuple[bytes, ...]:
        """Take note of a call that goes; return the names that are identified by it."""
        kind, identity = operation.source.kind, operation.identity
        self._take_end(kind, identity, operation.payload)
        if identity is None or not can_be_a_ghost(identity):
            return ()
        if kind is CallKind.IDENTIFY or (kind in MAKING_KINDS and self.find(name_of(identity)) is None):
            names = self.told(identity, kind, operation.payload)
            new = self.makes_profile(names)
            self._operations[operation.sequence] = operation, names, new
            self._new_under_way += new
            for name in names.names:
                self._under_way.setdefault(name, {})[operation.sequence] = names.known
            return names.names if names.known.identified else ()
        return ()

    def settled(self, operation: Operation, outcome: Outcome) -> None:
        """Take note of what became of a call."""
        if type(outcome) is Abandoned and operation.record.partition.alive:
            return  # it goes again
        found = self._operations.pop(operation.sequence, None)
        if found is None:
            return
        _, names, new = found
        self._new_under_way -= new
        left = [name for name in names.names if self._lift(name, operation.sequence)]
        if type(outcome) is not Confirmed:
            return
        if new:
            self._register.count_made(self._day())
            self._count_made()
        self._note(names, left)  # the others have been ended behind it

    def drop_gone(self) -> None:
        """Forget what was on its way for partitions that are not ours any more."""
        for operation, _, _ in list(self._operations.values()):
            if not operation.record.partition.alive:
                self.settled(operation, ABANDONED)

    def remember(self, call: Prepared) -> None:
        """Take note of a call that went long ago."""
        kind, identity = call.source.kind, call.identity
        self._take_end(kind, identity, call.payload)
        if kind is CallKind.IDENTIFY and identity is not None and can_be_a_ghost(identity):
            names = self.told(identity, kind, call.payload)
            self._note(names, names.names)

    def _note(self, names: Names, which: Iterable[bytes]) -> None:
        for name in which:
            person = None if name == names.names[0] else names.names[0]
            self._register.note(name, names.known, self._day(), person)

    def _take_end(self, kind: CallKind, identity: Identity | None, payload: bytes) -> None:
        """Forget whom a call ends, if it ends somebody."""
        ended = (
            identity if kind in ENDING_KINDS else secondary_of(payload) if kind is CallKind.MERGE else None
        )
        if ended is not None:
            self._end(name_of(ended))

    def _lift(self, name: bytes, sequence: int) -> bool:
        under_way = self._under_way.get(name)
        if under_way is None or under_way.pop(sequence, None) is None:
            return False
        if not under_way:
            del self._under_way[name]
        return True

    def _end(self, name: bytes) -> None:
        self._register.forget(name)
        for each in self._names_with(name):
            self._under_way.pop(each, None)

    def _names_with(self, name: bytes) -> Iterator[bytes]:
        """Return the name and those that calls on their way give the same person."""
        together = {name}
        for _, names, _ in self._operations.values():
            if not together.isdisjoint(names.names):
                together.update(names.names)
        return iter(together)

    def _day(self) -> int:
        return int(self._now() // DAY_S)
