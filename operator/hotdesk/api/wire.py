"""What every object on the wire shares: the base model, metadata, and how times and durations are written."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from hotdesk.api.schema import marks, rule

_DURATION: Final = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?", re.ASCII)
_MOST_HOURS, _MOST_MINUTES = 99_999, 9_999_999


_GIVEN: Final[dict[frozenset[str], set[str]]] = {}  # never changed in place: the models are frozen


class ApiModel(BaseModel):
    """A frozen piece of an object; fields it does not know are ignored, so an old operator reads new objects."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    def model_post_init(self, _: Any, /) -> None:
        """Share the set of the fields that were given with every object that was given the same.

        A set of its own for each model takes more memory than all it says: with 10,000 machines in use 80 of 215 MB.
        """
        given = self.__pydantic_fields_set__
        shared = _GIVEN.setdefault(frozenset(given), given)
        if shared is not given:
            object.__setattr__(self, "__pydantic_fields_set__", shared)

    def wire(self) -> dict[str, Any]:
        """Return the JSON object to create; absent fields are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def merge_patch(self) -> dict[str, Any]:
        """Return the JSON merge patch that makes the stored object say exactly this: absent fields become null."""
        return _with_nulls(self, self.wire())


class ObjectMeta(ApiModel):
    """The part of Kubernetes' metadata that Hotdesk reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


def parse_duration(value: object) -> timedelta:
    """Read "45s", "10m" or "1h30m".

    Raises:
        ValueError: anything else; the message says what to write.

    """
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if value and isinstance(value, str) else None
    if found is None:
        raise ValueError(f"write a duration like 45s, 10m or 1h30m instead of {value!r}")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Write whole seconds as "1h30m", "45s" or "0s"; what is below a second is dropped.

    Beyond 99999 hours the rest is written in minutes, and then in seconds, as it can be read.
    """
    seconds = max(0, int(value.total_seconds()))
    hours = min(seconds // 3600, _MOST_HOURS)
    minutes = min((seconds - 3600 * hours) // 60, _MOST_MINUTES)
    seconds -= 3600 * hours + 60 * minutes
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def explain(error: ValidationError) -> str:
    """Return one sentence for a person that names every field of a stored object that cannot be read, and why."""
    problems = (
        f"{'.'.join(str(part) for part in problem['loc']) or 'object'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )
    return "; ".join(problems)


def _with_nulls(model: ApiModel, wire: dict[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        alias = field.alias or name
        value = getattr(model, name)
        patch[alias] = _with_nulls(value, wire[alias]) if isinstance(value, ApiModel) else wire.get(alias)
    return patch


def _seconds(value: datetime) -> str:
    return _utc(value, timespec="seconds")


def _microseconds(value: datetime) -> str:
    return _utc(value, timespec="microseconds")


def _utc(value: datetime, *, timespec: str) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


# The format alone takes an empty list and times that overflow in another zone; a rule has the time read. In the years
# it leaves, no reckoning and no other time zone leads out of bounds.
_TIME_RULE: Final = rule(
    "self >= timestamp('1000-01-01T00:00:00Z') && self < timestamp('3000-01-01T00:00:00Z')",
    "write a time like 2026-01-02T03:04:05Z",
)
_DATE_TIME: Final = {"type": "string", "format": "date-time", **marks(_TIME_RULE)}

Time = Annotated[datetime, PlainSerializer(_seconds, when_used="json"), WithJsonSchema(_DATE_TIME)]
"""metav1.Time: whole seconds."""

MicroTime = Annotated[datetime, PlainSerializer(_microseconds, when_used="json"), WithJsonSchema(_DATE_TIME)]
"""metav1.MicroTime: for what is measured in milliseconds."""

_DURATION_RULE: Final = rule(
    "self.size() > 0 && self.matches('^([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$')",
    "write a duration as hours, minutes and seconds, like 45s, 10m or 1h30m",
)

_Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
]

# The rules are part of the type: those of a Field are lost where the duration may be absent.
Duration = Annotated[_Duration, WithJsonSchema({"type": "string", "maxLength": 32, **marks(_DURATION_RULE)})]
"""A Go-style duration of whole hours, minutes and seconds."""

_POSITIVE_RULE: Final = rule("self.matches('[1-9]')", "give a duration above zero")

PositiveDuration = Annotated[
    _Duration, WithJsonSchema({"type": "string", "maxLength": 32, **marks(_DURATION_RULE, _POSITIVE_RULE)})
]
"""A duration that is not zero."""


NEVER: Final = "Never"


def parse_duration_or_never(value: object) -> timedelta | str:
    """Read what `parse_duration` reads, or the word Never."""
    return NEVER if value == NEVER else parse_duration(value)


_OR_NEVER_RULE: Final = rule(
    "self == 'Never' || (self.size() > 0 && self.matches('^([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$'))",
    "write a duration like 45s, 10m or 1h30m, or the word Never; 0s means at once",
)

DurationOrNever = Annotated[
    timedelta | Literal["Never"],
    BeforeValidator(parse_duration_or_never),
    PlainSerializer(lambda value: value if isinstance(value, str) else format_duration(value), when_used="json"),
    WithJsonSchema({"type": "string", "maxLength": 32, **marks(_OR_NEVER_RULE)}),
]
"""A duration, or Never: zero means at once, and only the word switches something off."""
