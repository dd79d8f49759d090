"""The bill: what a replay would send, counted before anything is sent."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

from pipeline.calls import COUNTED_KINDS, CallKind, Reason
from pipeline.decode.patience import patient
from pipeline.records import Record
from pipeline.replay.requests import RequestEstimate
from pipeline.replay.sieve import Sieve, happened_at
from pipeline.translation import Prepared

_DAY_S = 86_400.0
_AGES = (("up to 3 days", 3 * _DAY_S), ("up to 7 days", 7 * _DAY_S), ("up to 30 days", 30 * _DAY_S))
_OLDER = "older than 30 days"


@dataclass(frozen=True, slots=True)
class Bill:
    """What a replay would do.

    `sample` is the part of the records' keys that was looked at; below 1 every count but `records` is extrapolated.
    `inside_window` are events that may trigger campaigns. `oldest` and `newest` are Unix seconds of events that would
    be sent. `people` are different identities of calls.
    """

    records: int
    skipped: int
    calls: Mapping[str, int]
    bytes: int
    people: int
    dead_letters: Mapping[str, int]
    left_out: Mapping[str, int]
    irreversible: Mapping[str, int]
    inside_window: int
    window_hours: float
    ages: Mapping[str, int]
    oldest: float | None
    newest: float | None
    requests_least: int
    requests_most: int
    minutes: float
    sample: float = 1.0

    @property
    def oversize(self) -> int:
        """Calls that are too large to be sent."""
        return self.dead_letters.get(Reason.TOO_LARGE, 0)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "oversize": self.oversize}


class Survey:
    """Makes a bill of the records that it is shown, by the very sieve that a real run uses."""

    def __init__(
        self,
        sieve: Sieve,
        requests: RequestEstimate,
        *,
        now: float,
        window_s: float,
        rate_per_s: float,
        sample: float = 1.0,
    ) -> None:
        self._sieve, self._requests = sieve, requests
        self._translate = patient(sieve.translate)
        self._now, self._window_s, self._rate_per_s, self._sample = now, window_s, rate_per_s, sample
        self._records = self._skipped = self._bytes = self._inside = 0
        self._calls: Counter[CallKind] = Counter()
        self._dead_letters: Counter[Reason] = Counter()
        self._ages: Counter[str] = Counter()
        self._people: set[bytes] = set()
        self._oldest: float | None = None
        self._newest: float | None = None

    def note(self, records: Iterable[Record]) -> None:
        """Take note of records that were read at once."""
        for record in records:
            self._records += 1
            if self._sample >= 1.0 or _is_sampled(record, self._sample):
                self._note(record)
        self._requests.send()

    def bill(self) -> Bill:
        """Return the bill of everything noted."""
        scaled = self._scaled
        least, most = scaled(self._requests.least), scaled(self._requests.most)
        return Bill(
            records=self._records,
            skipped=scaled(self._skipped),
            calls=_scaled_all(self._calls, scaled),
            bytes=scaled(self._bytes),
            people=scaled(len(self._people)),
            dead_letters=_scaled_all(self._dead_letters, scaled),
            left_out=_scaled_all(self._sieve.left_out, scaled),
            irreversible=_scaled_all(self._sieve.irreversible, scaled),
            inside_window=scaled(self._inside),
            window_hours=self._window_s / 3_600,
            ages=_scaled_all(self._ages, scaled),
            oldest=self._oldest,
            newest=self._newest,
            requests_least=least,
            requests_most=most,
            minutes=round(most / self._rate_per_s / 60, 2),
            sample=self._sample,
        )

    def _note(self, record: Record) -> None:
        translation = self._translate(record)
        self._skipped += not translation.matched
        for failure in translation.failures:
            self._dead_letters[failure.reason] += 1
        for call in translation.calls:
            self._note_call(record, call)
        self._requests.note(record.partition, translation.calls)

    def _note_call(self, record: Record, call: Prepared) -> None:
        self._calls[call.source.kind] += 1
        self._bytes += len(call.payload)
        if call.identity is not None:
            self._people.add(blake2b(call.identity.lane_key.encode(), digest_size=8).digest())
        if call.source.kind in COUNTED_KINDS:
            self._inside += self._sieve.inside_window(record, call)
            self._note_age(happened_at(record, call, self._now))

    def _note_age(self, time: float) -> None:
        self._oldest = time if self._oldest is None else min(self._oldest, time)
        self._newest = time if self._newest is None else max(self._newest, time)
        age_s = self._now - time
        self._ages[next((name for name, most in _AGES if age_s <= most), _OLDER)] += 1

    def _scaled(self, count: int) -> int:
        return count if self._sample >= 1.0 else round(count / self._sample)


def _scaled_all(counts: Mapping[Any, int], scaled: Callable[[int], int]) -> dict[str, int]:
    return {str(name): scaled(count) for name, count in sorted(counts.items())}


def _is_sampled(record: Record, sample: float) -> bool:
    """Draw keys and not records: then a person is in the sample whole, and people can be extrapolated too."""
    text = record.key if record.key is not None else str(record.position).encode()
    return int.from_bytes(blake2b(text, digest_size=4).digest()) < sample * 2**32
