"""Which calls of a record, as the current mapping makes them, a dead letter is about."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.calls import CallFailure, CallSource
from pipeline.deadletters.unresolved import Unresolved
from pipeline.translation import Translation

RULE_FIELDS = frozenset({"when", "for_each"})
"""Parts of a rule whose failure leaves no call of it: every call of the rule is meant."""
_OPEN_FIELDS = RULE_FIELDS | {"key"}
"""Parts whose failure leaves open which calls there would have been; an element without its key is known by index."""


@dataclass(frozen=True, slots=True)
class Match:
    """What the current mapping makes of a dead letter.

    `calls` are indexes into the translation's calls. `failure` is why what the letter is about still cannot be made,
    under the letter's own name. `others` are failures of calls that the letter means among others. With none of
    them, the current mapping makes nothing of it.
    """

    calls: tuple[int, ...]
    failure: CallFailure | None
    others: tuple[CallFailure, ...]


def match(letter: Unresolved, translation: Translation) -> Match:
    """Find the calls that a dead letter is about, and no others: those were delivered, or have letters of their own.

    A letter about a whole record means every call of it, and one about a rule that could not be decided every call of
    the rule. One whose event had no valid name means every call of its kind in the rule: they are usually one.
    """
    means = _meaning(letter)
    calls = tuple(index for index, call in enumerate(translation.calls) if means(call.source))
    failures = [
        failure
        for failure in translation.failures
        if failure.source is None or means(failure.source) or _is_of_rule(failure, letter)
    ]
    own = next((failure for failure in failures if _is_own(failure, letter)), None)
    return Match(
        calls,
        own and _renamed(own, letter),
        tuple(failure for failure in failures if not _is_own(failure, letter)),
    )


def _means_whole_rule(letter: Unresolved) -> bool:
    return letter.source is not None and letter.source.name is None and letter.field in _OPEN_FIELDS


def _meaning(letter: Unresolved) -> Callable[[CallSource], bool]:
    """Return what tells whether a letter is about the calls of a source."""
    wanted = letter.source
    whole_rule = _means_whole_rule(letter)
    # A name that was refused, or never known, cannot be what tells the call from others.
    any_name = wanted is not None and (wanted.name is None or letter.field == "name")

    def means(source: CallSource) -> bool:
        if wanted is None or source == wanted:
            return True
        if source.rule != wanted.rule:
            return False
        return whole_rule or (any_name and (source.kind, source.element) == (wanted.kind, wanted.element))

    return means


def _is_of_rule(failure: CallFailure, letter: Unresolved) -> bool:
    """Tell whether a failure leaves no call of the letter's rule."""
    return (
        failure.field in RULE_FIELDS
        and failure.source is not None
        and letter.source is not None
        and failure.source.rule == letter.source.rule
    )


def _is_own(failure: CallFailure, letter: Unresolved) -> bool:
    """Tell whether a failure is the letter's own, and not that of one call among several it means."""
    if failure.source is None or failure.source == letter.source:
        return True
    if letter.source is None:
        return False
    return failure.field in RULE_FIELDS or not _means_whole_rule(letter)


def _renamed(failure: CallFailure, letter: Unresolved) -> CallFailure:
    """Name a failure as the letter is named, so that its entry folds with the letter's."""
    field = failure.field
    if field in _OPEN_FIELDS and not _means_whole_rule(letter):
        field = None  # it would make the letter of one call mean every call of its rule
    return CallFailure(letter.source, failure.reason, failure.text, field)
