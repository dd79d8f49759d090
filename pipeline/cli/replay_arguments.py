"""What `cio-pipeline replay` was asked, as plain values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayArguments:
    """One field for each option, in its own words."""

    path: Path
    topic: str | None = None
    begin: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    slack: str | None = None
    partitions: str | None = None
    rules: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    mapping: tuple[Path, ...] = ()
    name: str | None = None
    restart: bool = False
    take_over: bool = False
    accept_mapping: bool = False
    dry_run: bool = False
    sample: str | None = None
    campaign_window: str | None = None
    allow_campaigns: bool = False
    older_than: str | None = None
    drop_recent: bool = False
    allow_irreversible: bool = False
    include_erased: bool = False
    identify: Literal["each", "fold"] = "each"
    as_of: Literal["event", "now"] = "event"
    as_new: str | None = None
    rate: float | None = None
    share: float | None = None
    sandbox: str | None = None
    output: Path | None = None
    diff: tuple[Path, Path] | None = None
    fail_on_change: bool = False
    html: Path | None = None
    show_data: bool = False
    as_json: bool = False

    @property
    def is_trial(self) -> bool:
        """Whether nothing is sent to Customer.io, so that no progress is kept and no credentials are needed."""
        return any((self.dry_run, self.sandbox is not None, self.output is not None, self.diff is not None))

    @property
    def has_bounds(self) -> bool:
        """Whether it was said what to read."""
        return bool(self.begin or self.until or self.partitions is not None)
