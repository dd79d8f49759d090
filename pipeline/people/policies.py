"""Which policy is in force for a rule: its own, else that of the settings."""

from collections.abc import Callable, Mapping

from pipeline.mapping import RuleSet
from pipeline.unidentified import Unidentified


class Policies:
    """The policies of the rules in force; `rules` gives the rule set of the moment, which a reload replaces."""

    def __init__(self, default: Unidentified, rules: Callable[[], RuleSet]) -> None:
        self._default = default
        self._rules = rules
        self._known: RuleSet | None = None
        self._own: Mapping[str, Unidentified] = {}

    def of(self, rule: str) -> Unidentified:
        """Return the policy of the rule with this id."""
        rules = self._rules()
        if rules is not self._known:
            self._known, self._own = rules, own_policies(rules)
        return self._own.get(rule, self._default)


def own_policies(rules: RuleSet) -> dict[str, Unidentified]:
    """Return the policies that rules have of their own, by the rules' ids."""
    return {
        rule.id or rule.name: rule.unidentified
        for file in rules.files.values()
        for rule in file.rules
        if rule.unidentified is not None
    }
