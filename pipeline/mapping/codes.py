"""The codes of everything that can be wrong with a mapping file: a closed list, documented and tested."""

from types import MappingProxyType

CODES = MappingProxyType(
    {
        # the text
        "unreadable": "The file cannot be read or is not UTF-8.",
        "too-big": "The file is larger than a mapping file can be.",
        "yaml-syntax": "The file is not YAML.",
        "duplicate-key": "A key stands twice in one map; YAML readers differ in which of them counts.",
        "bad-key": "A key is not plain text: an unquoted {{ }} for instance, or YAML 1.1's merge key.",
        "unknown-tag": "A YAML tag (!name) that means nothing here; often text that starts with '!'.",
        "alias": "A YAML alias that contains itself or expands beyond measure.",
        "bad-value": "A value contradicts its YAML tag, or is a number of too many digits or one that JSON lacks.",
        "yaml-1.1": "Warning. An unquoted yes, no, on or off, which is text in YAML 1.2.",
        "no-files": "A folder without a mapping file.",
        # the shape
        "unknown-key": "A key that is not known at this place.",
        "missing-key": "A key that must be there.",
        "wrong-value": "A value of the wrong type, or one that is not allowed.",
        "duplicate-rule": "Two rules have the same name or id.",
        # the expressions
        "unclosed": "'${' without its '}'.",
        "bad-expression": "An expression that is not valid.",
        "bad-literal": "What stands between backticks is not JSON.",
        "missing-comma": "A comma is missing or too many.",
        "json-word": "A bare true, false or null, which would be a field's name.",
        "narrow-not": "'!' before a path negates only the first name of it.",
        "quoted-name": "A comparison with a name in double quotes, which is a field and not a text.",
        "unknown-function": "A function that does not exist.",
        "invalid-arity": "A function with too few or too many arguments.",
        "invalid-type": "A function with an argument that can never be right.",
        "invalid-value": "A constant that can never be right, such as a slice with step 0.",
        "no-for-each": "item() or index() in a rule without for_each.",
        "env-not-set": "env() names an environment variable that is not set.",
        "not-constant": "A pattern or a variable's name that is not a text in single quotes.",
        "bad-pattern": "A pattern that RE2 does not take.",
        "test-failed": "A test in a mapping file fails, so the rules cannot replace those that run.",
        # what is valid and still seems wrong
        "never-matches": "Warning. The condition asks one field for two texts at once, or is false.",
        "shadowed": "Warning. An earlier rule with on_match: stop takes every event that this rule could match.",
        "not-indexed": "Warning, from 20 rules on. The rule is tried on every event: its condition does not ask for a "
        "text of the field by which rules are found.",
        "no-identity": "Warning. A call that has no way to name a person.",
        "no-test": "Warning. No test makes the rule match.",
        "looks-like-expression": "Warning. A text that looks like an expression without its ${ }.",
        # what an edit changes
        "rule-added": "Warning, with --against. A rule that was not there.",
        "rule-removed": "Warning, with --against. A rule that is gone.",
        "rule-changed": "Warning, with --against. A rule that does something else.",
        "event-id-changed": "Warning, with --against. Events of this call get other ids: a replay counts them again.",
    }
)
