"""What a replay is asked to do with the records that it reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path

import orjson

from pipeline.calls import Identity, IdentityKind
from pipeline.errors import ConfigurationError
from pipeline.mapping import RuleSet


@dataclass(frozen=True, slots=True)
class Choices:
    """What is sent of a range, and how.

    `rules` are ids of rules and `people` normalised identities (`Identity.lane_key`); empty means all. With
    `older_than_s` every call about something newer is left out, with `drop_recent` events inside the campaign window
    are. `as_new` is a salt that gives every event another id.
    """

    rules: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    campaign_window_s: float = 72 * 3_600.0
    allow_campaigns: bool = False
    older_than_s: float | None = None
    drop_recent: bool = False
    allow_irreversible: bool = False
    include_erased: bool = False
    fold_identifies: bool = False
    identify_as_of_now: bool = False
    as_new: str | None = None

    @property
    def digest(self) -> str:
        """A short text that changes with any of the choices."""
        plain = {
            name: sorted(value) if isinstance(value := getattr(self, name), frozenset) else value
            for name in self.__slots__
        }
        return digest_of(plain)


def digest_of(document: object) -> str:
    """Return a short text that changes with any part of a JSON document."""
    return blake2b(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def mapping_digest(rules: RuleSet) -> str:
    """Return a short text that changes with what the rules do, not with their comments or where their files are."""
    return digest_of([rules.source, rules.unmatched])


def rule_ids(rule_sets: Iterable[RuleSet], asked: Iterable[str]) -> frozenset[str]:
    """Return the ids of rules given by name or id, several with commas between them; any of the sets may have them.

    Raises:
        ConfigurationError: there is no such rule.
    """
    rules = [rule for rule_set in rule_sets for rule in rule_set.rules]
    known = {rule.name for rule in rules} | {rule.id for rule in rules}
    names = [name.strip() for text in asked for name in text.split(",")]
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(known))}"
            raise ConfigurationError(f"--rules: no rule is called {name!r}; {hint}")
    return frozenset(rule.id for rule in rules if rule.name in names or rule.id in names)


def people_of(asked: Sequence[str]) -> frozenset[str]:
    """Return the normalised identities that texts name; `@FILE` stands for the lines of a file.

    `id:U1` or `email:a@b.c` names one identity, a text without such a beginning every kind of identity that has it.

    Raises:
        ConfigurationError: a file cannot be read or names nobody.
    """
    people: set[str] = set()
    for text in asked:
        for name in _lines_of(Path(text[1:])) if text.startswith("@") else [text]:
            one = named_identity(name)
            meant = [one] if one is not None else [Identity(each, name) for each in IdentityKind]
            people.update(identity.lane_key for identity in meant)
    return frozenset(people)


def named_identity(name: str) -> Identity | None:
    """Return the identity that `id:U1` or `email:a@b.c` names, None for a text that does not say its kind."""
    kind, separator, value = name.partition(":")
    known = separator and kind in IdentityKind.__members__.values()
    return Identity(IdentityKind(kind), value) if known else None


def _lines_of(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except OSError as error:
        raise ConfigurationError(f"--people: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"--people: {path} is not UTF-8 (byte {error.start})") from None
    named = [line for line in lines if line]
    if not named:
        raise ConfigurationError(f"--people: {path} names nobody; write one person a line")
    return named
