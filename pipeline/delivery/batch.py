"""What goes to the sender and what comes back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.calls import CallKind, CallSource, Identity, Reason
from pipeline.delivery.open_record import OpenRecord


class Operation(NamedTuple):
    """One call in wire form, on its way. A named tuple for its price, like `Record`.

    `payload` is the v2 operation, encoded once; with `single` it travels in a request of its own. `lanes` are where its
    order is kept: one, or two for a merge, which waits in both. `sequence` rises with each operation that the engine
    makes, so that the oldest can be told. `queued_at` is on the clock's monotonic scale.
    """

    source: CallSource
    identity: Identity | None
    payload: bytes
    record: OpenRecord
    lanes: tuple[int, ...]
    sequence: int
    queued_at: float
    single: bool = False

    @property
    def kind(self) -> CallKind:
        """The kind of call."""
        return self.source.kind


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Operations that travel in one request; those of one lane stand in their order.

    `number` tells batches of one process apart.
    """

    number: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Customer.io accepted the call; `status` is the answer's."""

    status: int = field(default=200, compare=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """The call cannot be delivered; it belongs in the dead letters."""

    reason: Reason
    text: str
    field: str | None = None
    status: int | None = None
    answer: str | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The call was given up before it was confirmed: it may or may not have been applied, and nothing settles."""


Outcome = Confirmed | Failed | Abandoned

CONFIRMED = Confirmed()
ABANDONED = Abandoned()


@dataclass(frozen=True, slots=True, eq=False)
class BatchResult:
    """One outcome for each operation of a batch, in the same order."""

    batch: Batch
    outcomes: Sequence[Outcome]
