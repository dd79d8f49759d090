"""What becomes of calls about people whom the pipeline has not identified."""

from enum import StrEnum


class Unidentified(StrEnum):
    """The policies: of the settings for all rules, of a rule for its own calls."""

    SEND = "send"
    HOLD_UNTIL_IDENTIFIED = "hold_until_identified"
    DEAD_LETTER = "dead_letter"
    DROP = "drop"
