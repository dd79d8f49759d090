"""From the options of `replay` to what they mean."""

import re

from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.config import Settings
from pipeline.errors import ConfigurationError
from pipeline.mapping import RuleSet
from pipeline.replay.bounds import parse_duration_s
from pipeline.replay.choices import Choices, digest_of, mapping_digest, people_of, rule_ids
from pipeline.replay.resume import Request
from pipeline.translation import Translator

# Six digits are enough: no topic has a million partitions, and a range becomes a list.
_PARTITIONS = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?\Z")


def choices_of(arguments: ReplayArguments, settings: Settings, rules: RuleSet) -> Choices:
    """Return what was chosen, on the command line or else in the settings.

    Raises:
        ConfigurationError: a rule, a person or a length of time is not what it should be.
    """
    older_than, window = arguments.older_than, arguments.campaign_window
    return Choices(
        rules=rule_ids([rules], arguments.rules),
        people=people_of(arguments.people),
        campaign_window_s=(
            settings.replay.campaign_window_hours * 3_600 if window is None else parse_duration_s(window)
        ),
        allow_campaigns=arguments.allow_campaigns,
        older_than_s=None if older_than is None else parse_duration_s(older_than),
        drop_recent=arguments.drop_recent,
        allow_irreversible=arguments.allow_irreversible,
        include_erased=arguments.include_erased,
        fold_identifies=arguments.identify == "fold",
        identify_as_of_now=arguments.as_of == "now",
        as_new=arguments.as_new,
    )


def rules_of(translator: Translator) -> RuleSet:
    """Return the rules that a translator maps with."""
    rules = translator.mapper
    if not isinstance(rules, RuleSet):
        raise TypeError("a replay needs the rules themselves, to know what they can do")
    return rules


def request_of(
    arguments: ReplayArguments, name: str, topic: str, choices: Choices, rules: RuleSet
) -> Request:
    """Return what is asked of a name."""
    return Request(
        name,
        bounds_digest(arguments, topic) if arguments.has_bounds else None,
        choices.digest,
        mapping_digest(rules),
        restart=arguments.restart,
        take_over=arguments.take_over,
        accept_mapping=arguments.accept_mapping,
    )


def bounds_digest(arguments: ReplayArguments, topic: str) -> str:
    """Return a short text that changes with what is to be read."""
    partitions = sorted(set(partitions_of(arguments.partitions)))
    return digest_of([topic, sorted(arguments.begin), sorted(arguments.until), arguments.slack, partitions])


def partitions_of(text: str | None) -> tuple[int, ...]:
    """Read `0,2-4`; nothing means all.

    Raises:
        ConfigurationError: it means nothing.
    """
    if text is None:
        return ()
    return tuple(number for part in text.split(",") for number in _range_of(text, part))


def _range_of(text: str, part: str) -> range:
    found = _PARTITIONS.match(part.strip())
    numbers = range(int(found[1]), int(found[2] or found[1]) + 1) if found is not None else range(0)
    if not numbers:  # such as 2-1 too: no partitions would mean all
        raise ConfigurationError(f"--partitions {text!r}: write numbers and ranges, such as 0,2-4")
    return numbers


def sample_of(text: str | None) -> float:
    """Read `1%` or `0.01`; nothing means everything.

    Raises:
        ConfigurationError: it is no part of a whole.
    """
    if text is None:
        return 1.0
    try:
        part = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        part = 0.0
    if not 0 < part <= 1:
        raise ConfigurationError(f"--sample {text!r}: write a part such as 1% or 0.01")
    return part
