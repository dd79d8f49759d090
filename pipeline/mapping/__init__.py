"""The rules: YAML to a function from events to calls."""

from pipeline.mapping.building import MappingLimits
from pipeline.mapping.loading import load_rules
from pipeline.mapping.ruleset import RuleSet

__all__ = ["MappingLimits", "RuleSet", "load_rules"]
