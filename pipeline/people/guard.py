"""The guard against ghost profiles: calls about people who were never identified, and too many profiles in a day."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pipeline.calls import CallFailure, CallKind, CallSource, Identity, Reason
from pipeline.decode import SchemaPending
from pipeline.people.known import ENDING_KINDS, MAKING_KINDS, KnownPeople, can_be_a_ghost
from pipeline.people.policies import Policies
from pipeline.people.register import Known, name_of
from pipeline.ports import Translator
from pipeline.records import Record
from pipeline.translation import Prepared, Translation
from pipeline.unidentified import Unidentified


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """Who counts as identified, and how many profiles a day (UTC) may bring; None for no limit."""

    needs_email: bool = False
    new_profiles_per_day: int | None = None


class GhostGuard:
    """Decides in front of a translator which calls go. What is to be held it lets through: the lanes hold it.

    `left_out` counts what it drops.
    """

    def __init__(
        self,
        translator: Translator,
        people: KnownPeople,
        policies: Policies,
        options: GuardOptions,
        left_out: Counter[str],
    ) -> None:
        self._translator = translator
        self._people = people
        self._policies = policies
        self._options = options
        self._left_out = left_out

    @property
    def why(self) -> str:
        """What is wrong with somebody who is not identified, in a safe sentence."""
        return (
            "no identify has given the person an e-mail address"
            if self._options.needs_email
            else "no identify has named the person"
        )

    def holds(self, source: CallSource, identity: Identity | None) -> bool:
        """Tell whether a call waits until its person is identified."""
        return (
            source.kind in MAKING_KINDS
            and identity is not None
            and can_be_a_ghost(identity)
            and self._policies.of(source.rule) is Unidentified.HOLD_UNTIL_IDENTIFIED
            and not self.knows(name_of(identity))
        )

    def knows(self, name: bytes) -> bool:
        """Tell whether the person with this name is identified, or will be by what is on its way."""
        return self._is_identified(self._people.find(name))

    def translate(self, record: Record) -> Translation | SchemaPending:
        """See `Translator.translate`."""
        translation = self._translator.translate(record)
        if isinstance(translation, SchemaPending) or not translation.calls:
            return translation
        told = _Told()
        kept: list[Prepared] = []
        failures = list(translation.failures)
        for call in translation.calls:
            reason = self._objection(call, told)
            if reason is None:
                kept.append(call)
            elif reason is Unidentified.DROP:
                self._left_out["not_identified"] += 1
            else:
                failures.append(reason)
        if len(kept) == len(translation.calls):
            return translation
        return translation._replace(calls=tuple(kept), failures=tuple(failures))

    def _objection(self, call: Prepared, told: "_Told") -> CallFailure | Literal[Unidentified.DROP] | None:
        """Return why a call does not go; `told` is what earlier calls of the record tell."""
        identity = call.identity
        if identity is None or not can_be_a_ghost(identity):
            return None
        match self._policy(call.source, identity, told):
            case Unidentified.SEND:
                return self._too_many(call, identity, told)
            case Unidentified.DEAD_LETTER:
                return CallFailure(call.source, Reason.NOT_IDENTIFIED, self.why)
            case Unidentified.DROP:
                return Unidentified.DROP
        return None

    def _policy(self, source: CallSource, identity: Identity, told: "_Told") -> Unidentified | None:
        """Return the policy that a call comes under, None when it may go without a look."""
        if source.kind is CallKind.IDENTIFY:
            return Unidentified.SEND
        name = name_of(identity)
        if source.kind in ENDING_KINDS:
            told.names[name] = Known(identified=False, email=False)
        if source.kind not in MAKING_KINDS:
            return None
        known = told.names.get(name) or self._people.find(name)
        return None if self._is_identified(known) else self._policies.of(source.rule)

    def _is_identified(self, known: Known | None) -> bool:
        if known is None or not known.identified:
            return False
        return known.email or not self._options.needs_email

    def _too_many(self, call: Prepared, identity: Identity, told: "_Told") -> CallFailure | None:
        """Return the failure of a call that would make one profile too many."""
        names = self._people.told(identity, call.source.kind, call.payload)
        if told.names.keys().isdisjoint(names.names) and self._people.makes_profile(names):
            limit = self._options.new_profiles_per_day
            if limit is not None and self._people.profiles_today + told.new >= limit:
                text = f"{limit:,} profiles were made today, and this call would make another one"
                return CallFailure(call.source, Reason.TOO_MANY_PROFILES, text)
            told.new += 1
        told.names.update(dict.fromkeys(names.names, names.known))
        return None


class _Told:
    """What the calls of one record tell, and how many profiles they make."""

    def __init__(self) -> None:
        self.names: dict[bytes, Known] = {}
        self.new = 0
