"""What is still to be done: entries about the same thing folded into one, and resolved ones left out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from sys import intern

from pipeline.calls import CallSource, Reason
from pipeline.deadletters.archive import Archive, Foreign, Place
from pipeline.deadletters.entry import DeadLetter, LetterKey, Resolution
from pipeline.records import Position


@dataclass(frozen=True, slots=True)
class Unresolved:
    """All entries about one call, or one record, that no resolution hides; the newest tells why.

    `times` is how many entries there are, `attempts` how many requests they count together. Times are Unix
    milliseconds. `place` is where the newest entry stands, `files` the numbers of all files that hold one.
    `replay` is the name of the replay that made the newest entry, None for the live pipeline's.
    """

    key: LetterKey
    reason: Reason
    text: str
    field: str | None
    status: int | None
    first_seen_ms: int
    last_seen_ms: int
    times: int
    attempts: int
    place: Place
    files: frozenset[int]
    replay: str | None = None

    @property
    def position(self) -> Position:
        """Where the record stands in Kafka."""
        return self.key.position

    @property
    def source(self) -> CallSource | None:
        """The call that failed, None when it was the whole record."""
        return self.key.source


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an archive holds: unresolved dead letters by position, and the lines that were passed over."""

    unresolved: tuple[Unresolved, ...]
    foreign: tuple[Foreign, ...]


def take_inventory(archive: Archive) -> Inventory:
    """Read an archive whole; what it keeps of an entry is small, the originals stay in the files."""
    seen: dict[LetterKey, list[Unresolved]] = defaultdict(list)
    resolved_until: dict[LetterKey, int] = {}
    foreign: list[Foreign] = []
    compact = _Compactor()
    for place, found in archive.scan():
        match found:
            case DeadLetter():
                entry = compact(found, place)
                seen[entry.key].append(entry)
            case Resolution():
                resolved_until[found.key] = max(found.until_ms, resolved_until.get(found.key, found.until_ms))
            case Foreign():
                foreign.append(found)
    unresolved = []
    for key, entries in seen.items():
        until_ms = resolved_until.get(key)
        left = [entry for entry in entries if until_ms is None or entry.last_seen_ms > until_ms]
        if left:
            unresolved.append(_fold(left))
    return Inventory(tuple(sorted(unresolved, key=_order)), tuple(foreign))


class _Compactor:
    """Keeps one object for what many entries have in common: there may be millions of them."""

    def __init__(self) -> None:
        self._sources: dict[CallSource | None, CallSource | None] = {}
        self._files: dict[int, frozenset[int]] = {}

    def __call__(self, entry: DeadLetter, place: Place) -> Unresolved:
        """Return what is kept of one entry."""
        key = entry.key
        return Unresolved(
            key._replace(
                position=key.position._replace(topic=intern(key.position.topic)),
                source=self._sources.setdefault(key.source, key.source),
                as_new=key.as_new and intern(key.as_new),
            ),
            entry.reason,
            intern(entry.text),
            entry.field and intern(entry.field),
            entry.status,
            first_seen_ms=entry.first_seen_ms,
            last_seen_ms=entry.first_seen_ms,
            times=1,
            attempts=entry.attempts,
            place=place,
            files=self._files.setdefault(place.file, frozenset({place.file})),
            replay=entry.replay and intern(entry.replay),
        )


def _fold(entries: list[Unresolved]) -> Unresolved:
    if len(entries) == 1:
        return entries[0]
    newest = max(entries, key=lambda entry: (entry.last_seen_ms, entry.place))
    return Unresolved(
        newest.key,
        newest.reason,
        newest.text,
        newest.field,
        newest.status,
        first_seen_ms=min(entry.first_seen_ms for entry in entries),
        last_seen_ms=newest.last_seen_ms,
        times=len(entries),
        attempts=sum(entry.attempts for entry in entries),
        place=newest.place,
        files=frozenset[int]().union(*(entry.files for entry in entries)),
        replay=newest.replay,
    )


def _order(letter: Unresolved) -> tuple[Position, str, str, Sequence[str]]:
    """Return what sorts letters by position, and those that are made of one translation beside each other."""
    key = letter.key
    return key.position, key.digest, key.as_new or "", [str(part) for part in key.source or ()]
