"""The rules: YAML to a function from events to calls."""
