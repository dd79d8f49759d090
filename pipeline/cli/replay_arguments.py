"""What `cio-pipeline replay` was asked, as plain values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayArguments:
    """One field for each option, in its own words."""

    path: Path
    topic: str | None
    begin: tuple[str, ...]
    until: tuple[str, ...]
    slack: str | None
    partitions: str | None
    rules: tuple[str, ...]
    people: tuple[str, ...]
    mapping: tuple[Path, ...]
    name: str | None
    restart: bool
    take_over: bool
    accept_mapping: bool
    dry_run: bool
    sample: str | None
    campaign_window: str
    allow_campaigns: bool
    older_than: str | None
    drop_recent: bool
    allow_irreversible: bool
    include_erased: bool
    identify: Literal["each", "fold"]
    as_of: Literal["event", "now"]
    as_new: str | None
    rate: float | None
    share: float | None
    sandbox: str | None
    output: Path | None
    diff: tuple[Path, Path] | None
    fail_on_change: bool
    html: Path | None
    show_data: bool
    as_json: bool

    @property
    def is_trial(self) -> bool:
        """Whether nothing is sent to Customer.io, so that no progress is kept and no credentials are needed."""
        return any((self.dry_run, self.sandbox is not None, self.output is not None, self.diff is not None))

    @property
    def has_bounds(self) -> bool:
        """Whether it was said what to read."""
        return bool(self.begin or self.until or self.partitions)
