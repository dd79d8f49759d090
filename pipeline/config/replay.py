"""Settings of `cio-pipeline replay`."""

from typing import Annotated

from pydantic import Field

from pipeline.config.fields import Seconds, Section


class ReplaySettings(Section):
    """What `cio-pipeline replay` does where its options say nothing else."""

    share: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="The part of `delivery.rate.requests_per_second` that a replay may use; `delivery.rate.share`"
            " is the live pipeline's own.",
        ),
    ] = 0.2
    campaign_window_hours: Annotated[
        float,
        Field(
            gt=0,
            le=8_760,
            description="Events up to this old may trigger campaigns; Customer.io says 72 hours.",
        ),
    ] = 72.0
    give_up_seconds: Annotated[
        Seconds,
        Field(
            description="How long the brokers may be out of reach before a replay ends; the same command goes on where"
            " it was."
        ),
    ] = 60.0
