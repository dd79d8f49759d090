"""What is measured and not only counted: delays, durations and how full requests are."""

from dataclasses import dataclass, field

from pipeline.histogram import DELAYS, SECONDS, SHARES, Histogram


@dataclass(frozen=True, slots=True)
class DeliveryMeasures:
    """What is measured of batches and requests; times in seconds, fill as parts of the limits.

    The delays are those of the first call of a batch, which is its oldest, and of the last one, where confirmed.
    """

    since_written: Histogram = field(default_factory=lambda: Histogram(DELAYS))
    """From a record's own timestamp to the confirmation of its call."""
    since_read: Histogram = field(default_factory=lambda: Histogram(DELAYS))
    """From the moment the call was made to its confirmation."""
    items_fill: Histogram = field(default_factory=lambda: Histogram(SHARES))
    """Calls of a batch."""
    bytes_fill: Histogram = field(default_factory=lambda: Histogram(SHARES))
    """Bytes of a request."""
    request_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    """From the start of a request to its verdict."""
