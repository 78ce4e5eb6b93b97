"""Schedule: a larger buffer at known times, and what of a cron line the API server can check itself."""

from typing import Annotated

from pydantic import Field

from hotdesk.api.schema import marks, rule
from hotdesk.api.wire import ApiModel, PositiveDuration


def _field(number: str, names: str = "") -> str:
    """Return the expression of one cron field: numbers or names, with lists, ranges and steps."""
    value = f"({number}|{names})" if names else f"({number})"
    item = f"([*]|{value}(-{value})?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"
_CRON = " +".join(
    (
        _field("[0-5]?[0-9]"),
        _field("[01]?[0-9]|2[0-3]"),
        _field("0?[1-9]|[12][0-9]|3[01]"),
        _field("0?[1-9]|1[0-2]", _MONTHS),
        _field("[0-7]", _DAYS),
    ),
)


class Schedule(ApiModel):
    """A time at which more idle slots are kept, for example before the working day begins."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            json_schema_extra=marks(
                rule(
                    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                    "name must be lower case letters, digits and '-', like working-day",
                ),
            ),
        ),
    ]
    """The schedule's name; each may be given once."""
    start: Annotated[
        str,
        Field(
            max_length=100,
            json_schema_extra=marks(
                rule(
                    "self.matches('^[^ ]+( +[^ ]+){4}$')",
                    "start must have the five fields of cron: minute hour day month weekday, like 0 8 * * MON-FRI",
                ),
                rule(
                    f"self.upperAscii().matches('^{_CRON}$')",
                    "start has a field out of range: minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, "
                    "weekday 0-7 or SUN-SAT; each may use * , - and /",
                ),
            ),
        ),
    ]
    """When it begins: the five fields of cron, minute hour day month weekday."""
    duration: PositiveDuration
    """How long it lasts from each start; longer than zero."""
    time_zone: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            json_schema_extra=marks(
                # The API server knows every zone: asking it for an hour there fails for one that does not exist. It
                # would take offsets and its own local time as well.
                rule(
                    "self.matches('^[A-Z]') && self != 'Local'"
                    " && timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
                    "timeZone must be a zone of the IANA data base, like Europe/Berlin or UTC",
                ),
            ),
        ),
    ] = "UTC"
    """The time zone that start is written in, from the IANA data base; summer time is followed."""
    idle: Annotated[int, Field(ge=0, le=10000)]
    """Idle slots to keep while it lasts, instead of buffer.idle."""
