"""Settings about people: ghost profiles, and identifies that change nothing."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.fields import Count, Seconds, Section


class PeopleSettings(Section):
    """Which calls about people are worth sending: a profile costs money, and so does a request."""

    unidentified: Annotated[
        Literal["send", "hold_until_identified", "dead_letter", "drop"],
        Field(
            description="What becomes of an event, a device or a relation of somebody who was never identified, where"
            " the rule does not say. Customer.io makes a profile for whoever it does not know."
        ),
    ] = "send"
    identified_by: Annotated[
        Literal["identify", "email"],
        Field(
            description="Who counts as identified: whom an identify named, or whom one gave an e-mail address."
        ),
    ] = "identify"
    hold_seconds: Annotated[
        Seconds,
        Field(
            description="How long `hold_until_identified` holds a call before it becomes a dead letter; less than"
            " `kafka.stalled_after_seconds`. What is held is not committed."
        ),
    ] = 60.0
    hold_max_calls: Annotated[
        Count,
        Field(
            le=100_000, description="Calls that may be held at once; beyond it the oldest are dead letters."
        ),
    ] = 5_000
    new_profiles_per_day: Annotated[
        Count | None,
        Field(
            description="Profiles that may be made in one day (UTC), for each file of known people; a call that would"
            " make one more is a dead letter. `null` for no limit."
        ),
    ] = None
    known_file: Annotated[
        Path,
        Field(
            description="Where known people are kept, as hashes, while a policy or a limit needs them. What is not in"
            " it is read again from the topics."
        ),
    ] = Path("known-people.sqlite")
    known_max_people: Annotated[
        Count,
        Field(
            ge=1_000,
            description="Names of people that are kept; beyond it those not seen for longest are forgotten.",
        ),
    ] = 2_000_000
    skip_unchanged: Annotated[
        bool,
        Field(
            description="Leave out an identify that says what the last confirmed one of that person said, apart from"
            " its time."
        ),
    ] = False
    unchanged_max_people: Annotated[
        Count, Field(description="People of whom the last confirmed identify is remembered.")
    ] = 100_000
    unchanged_max_age_seconds: Annotated[
        Seconds,
        Field(
            description="After so long an unchanged identify is sent all the same, since others write to people too."
        ),
    ] = 86_400.0
