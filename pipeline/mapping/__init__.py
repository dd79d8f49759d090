"""The rules: YAML to a function from events to calls."""

from pipeline.mapping.building import MappingLimits
from pipeline.mapping.loading import load_rules
from pipeline.mapping.reload import WatchedRules, load_tested_rules
from pipeline.mapping.ruleset import RuleSet

__all__ = ["MappingLimits", "RuleSet", "WatchedRules", "load_rules", "load_tested_rules"]
