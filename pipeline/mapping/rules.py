"""The shape of a mapping file. Unknown keys are refused; what a key means is said in its description."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pipeline.calls import CallKind, IdentityKind
from pipeline.mapping.raw_inputs import RawInputs
from pipeline.unidentified import Unidentified

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
Scalar = str | int | float | bool | None


class OnError(StrEnum):
    """What becomes of a call when something in it fails."""

    DEAD_LETTER = "dead_letter"
    SKIP_FIELD = "skip_field"
    SKIP_CALL = "skip_call"


class LongNames(StrEnum):
    """What becomes of a name of more than 100 bytes."""

    DEAD_LETTER = "dead_letter"
    TRUNCATE = "truncate"


class Unmatched(StrEnum):
    """What becomes of an event that no rule matches."""

    SKIP = "skip"
    DEAD_LETTER = "dead_letter"


class Strict(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Person(Strict):
    """Who a call is about."""

    id: Scalar = Field(default=None, description="The person's id.")
    cio_id: Scalar = Field(
        default=None, description="Customer.io's own id of the person, without the prefix cio_."
    )
    email: Scalar = Field(default=None, description="The person's e-mail.")
    phone: Scalar = Field(default=None, description="The person's phone number in E.164.")
    anonymous_id: Scalar = Field(default=None, description="The id of a visitor who is not known yet.")
    identity: list[IdentityKind] | None = Field(
        default=None,
        min_length=1,
        description="In which order the ways to name a person are tried; only these are.",
    )


class Timed(Person):
    """A call that happens at a time and has attributes."""

    timestamp: Scalar = Field(
        None,
        description="When it happened: Unix seconds, or what epoch() takes. The record's time if left out.",
    )
    from_: str | dict[str, Any] | None = Field(
        default=None, alias="from", description="An object whose fields are the first attributes."
    )
    omit: list[str] = Field(default=[], description="Fields of `from` that are left out.")
    attributes: dict[str, Any] = Field(
        default={}, description="Attributes by name; they win over those of `from`."
    )
    keep_nulls: bool | None = Field(
        default=None, description="Send attributes that are null; they are left out otherwise."
    )
    convert_timestamps: bool | None = Field(
        default=None, description="Turn attributes that are ISO 8601 dates with a time into Unix seconds."
    )


class Identify(Timed):
    """Create or change a person."""

    relationships: str | list[Any] | None = Field(
        default=None, description="Relations to objects that are added too."
    )


class Event(Timed):
    """Something a person did: an event, a page or a screen."""

    name: Scalar = Field(..., description="The event's name, the page's URL or the screen's name.")
    event_id: Scalar = Field(
        default=None,
        description="An id of the event that its source gave it; made from the record otherwise.",
    )
    long_names: LongNames | None = Field(
        default=None, description="What becomes of a name of more than 100 bytes."
    )


class Merge(Person):
    """End one person in favour of another; the call's own person stays."""

    secondary: "Secondary" = Field(..., description="The person who ends.")


class Secondary(Strict):
    """The person whom a merge ends."""

    id: Scalar = None
    cio_id: Scalar = None
    email: Scalar = None


class Device(Person):
    """Add, change or delete a device."""

    device: dict[str, Any] | str = Field(
        ..., description="token, platform (ios or android), last_used, attributes."
    )


class Relate(Person):
    """Add or delete relations of a person to objects."""

    action: Literal["add", "delete"] = "add"
    relationships: str | list[Any] = Field(
        ..., description="Relations: identifiers (object_type_id and object_id), relationship_attributes."
    )


class Raw(RawInputs, Person):
    """Any other request to Customer.io's API."""

    order_by: Scalar = Field(
        default=None, description="Calls with the same value keep their order; the person otherwise."
    )


class Calls(Strict):
    """The calls a rule can make, each once."""

    identify: Identify | None = None
    track: Event | None = None
    page: Event | None = None
    screen: Event | None = None
    destroy: Person | None = None
    suppress: Person | None = None
    unsuppress: Person | None = None
    merge: Merge | None = None
    add_device: Device | None = None
    delete_device: Device | None = None
    relate: Relate | None = None
    raw: Raw | None = None

    def given(self) -> list[tuple[CallKind, Person]]:
        """Return the calls that are written, in the order of the kinds; one without content is an empty one."""
        return [
            (CallKind(name), getattr(self, name) or Person())
            for name in Calls.model_fields
            if name in self.model_fields_set
        ]


class OneCall(Calls):
    """One entry of `calls`."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "OneCall":
        if len(self.model_fields_set) != 1:
            raise ValueError("an entry of calls has exactly one call")
        return self


class Rule(Calls):
    """What is done with the events that match."""

    name: Name = Field(..., description="The rule's name, once in all files.")
    id: Name | None = Field(
        None,
        description="What ids of events are made from; the name if left out. Keep it when you rename a rule.",
    )
    when: str | bool = Field(default=True, description="The condition; without one, every event matches.")
    for_each: str | None = Field(
        default=None, description="An array: the calls are made once for each element."
    )
    key: Scalar = Field(default=None, description="What tells the elements apart; their index if left out.")
    on_match: Literal["continue", "stop"] = Field(
        "continue", description="Whether later rules see the event too."
    )
    on_error: OnError = Field(
        OnError.DEAD_LETTER, description="What becomes of a call in which something fails."
    )
    identity: list[IdentityKind] | None = Field(
        default=None,
        min_length=1,
        description="In which order the ways to name a person are tried; only these are.",
    )
    unidentified: Unidentified | None = Field(
        default=None,
        description="What becomes of an event, a device or a relation of somebody who was never identified; what the "
        "settings say if left out.",
    )
    calls: list[OneCall] = Field(default=[], description="Several calls, in this order.")

    @model_validator(mode="after")
    def _consistent(self) -> "Rule":
        if self.calls and self.given():
            raise ValueError("write either calls: or single calls, not both")
        if not self.calls and not self.given() and self.on_match != "stop":
            raise ValueError("the rule makes no call: give it one, or on_match: stop")
        if self.key is not None and self.for_each is None:
            raise ValueError("key has a meaning only with for_each")
        return self

    def given(self) -> list[tuple[CallKind, Person]]:
        """Return the single calls that are written."""
        names = [name for name in Calls.model_fields if name in self.model_fields_set]
        return [(CallKind(name), getattr(self, name) or Person()) for name in names]


class Defaults(Person):
    """What every call has that does not say otherwise; a call without a use for something passes it over."""

    timestamp: Scalar = None
    keep_nulls: bool | None = None
    convert_timestamps: bool | None = None
    long_names: LongNames | None = None


class Kafka(Strict):
    """The record of a test."""

    topic: str = "test"
    partition: int = 0
    offset: int = 0
    key: str | None = None
    timestamp: int | None = Field(default=None, description="Milliseconds; the test's `now` if left out.")
    headers: dict[str, str | None] = {}
    tombstone: bool = False


class TestCase(Strict):
    """An event and the calls that are expected of it."""

    __test__ = False  # for pytest, which collects what is called so

    name: Name
    event: Any = None
    event_file: str | None = Field(default=None, description="A JSON file with the event, beside this one.")
    kafka: Kafka = Kafka()
    now: float | str = Field(default="2030-01-01T00:00:00Z", description="The time of the test.")
    expect: list[dict[str, Any]] = Field(..., description="The calls, in order, each with all it has.")
    errors: int | list[str] = Field(
        default=0, description="How many failures, or their reason codes in order."
    )
    unmatched: bool = Field(default=False, description="Whether no rule must match.")


class MappingFile(Strict):
    """One file."""

    version: Literal[1]
    unmatched: Unmatched | None = Field(
        default=None, description="What becomes of an event that no rule matches."
    )
    defaults: Defaults = Defaults()
    rules: list[Rule] = []
    tests: list[TestCase] = []
