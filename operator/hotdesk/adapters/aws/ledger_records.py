"""One interval as a line of JSON, and the key under which S3 keeps it. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field

from hotdesk.api.wire import ApiModel, MicroTime
from hotdesk.core.usage import Interval

_COMPACT = "%Y%m%dT%H%M%S%fZ"
_SUFFIX = ".jsonl"
_YEARS = range(2000, 3000)


class LedgerRecord(ApiModel):
    """What finance reads. `seconds` and `billedMinutes` follow from the times; they spare readers the reckoning."""

    pool: str
    namespace: str
    workspace: str
    uid: Annotated[str, Field(min_length=1)]
    owner: str
    machine: str
    slot: int
    instance_type: str = ""
    zone: str = ""
    spot: bool = False
    started_at: Annotated[MicroTime, AwareDatetime]
    ended_at: Annotated[MicroTime, AwareDatetime]
    seconds: float = 0
    billed_minutes: int = 0

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """Return the record of an interval."""
        return cls(
            pool=interval.pool,
            namespace=interval.namespace,
            workspace=interval.workspace,
            uid=interval.uid,
            owner=interval.owner,
            machine=interval.machine,
            slot=interval.slot,
            instance_type=interval.instance_type,
            zone=interval.zone,
            spot=interval.spot,
            started_at=interval.started_at,
            ended_at=interval.ended_at,
            seconds=interval.length.total_seconds(),
            billed_minutes=interval.billed_minutes,
        )

    def interval(self) -> Interval:
        """Return the interval; raises ValueError for times that no ledger of ours holds."""
        if not all(moment.year in _YEARS for moment in (self.started_at, self.ended_at)):
            raise ValueError("startedAt and endedAt must be times from 2000 on")
        return Interval(
            pool=self.pool,
            namespace=self.namespace,
            workspace=self.workspace,
            uid=self.uid,
            owner=self.owner,
            machine=self.machine,
            slot=self.slot,
            started_at=self.started_at.astimezone(UTC),
            ended_at=self.ended_at.astimezone(UTC),
            instance_type=self.instance_type,
            zone=self.zone,
            spot=self.spot,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and what the keys in it begin with: empty, or a text that ends with a slash."""

    bucket: str
    prefix: str = ""

    def month(self, year: int, number: int) -> str:
        """Return what the keys of a month begin with."""
        return f"{self.prefix}{year:04}/{number:02}/"


def place_of(address: str) -> Place:
    """Return the place of an address like s3://bucket/prefix."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    parts = "/".join(part for part in prefix.split("/") if part)
    return Place(bucket=bucket, prefix=f"{parts}/" if parts else "")


def key_of(interval: Interval, *, place: Place) -> str:
    """Return the interval's key: the same for the same interval, in the folder of the day (UTC) on which it ended."""
    day = interval.day
    started = interval.started_at.astimezone(UTC).strftime(_COMPACT)
    name = f"{interval.uid}-{started}-{interval.machine}-{interval.slot}{_SUFFIX}"
    return f"{place.month(day.year, day.month)}{day.day:02}/{name}"


def times_of(key: str, *, place: Place) -> tuple[date, datetime] | None:
    """Return the day on which a key's interval ended and the time at which it began; None if it is no key of ours."""
    try:
        year, month, day, name = key.removeprefix(place.prefix).split("/")
        started = next(part for part in name.split("-") if len(part) == len("20260102T030405000000Z"))
        return date(int(year), int(month), int(day)), datetime.strptime(started, _COMPACT).replace(tzinfo=UTC)
    except (ValueError, StopIteration):
        return None


def line_of(interval: Interval) -> bytes:
    """Return the interval's line."""
    return LedgerRecord.of(interval).model_dump_json(by_alias=True).encode() + b"\n"


def intervals_in(body: bytes) -> tuple[Interval, ...]:
    """Return the intervals of an object, one a line; raises ValueError if one cannot be read."""
    return tuple(LedgerRecord.model_validate_json(line).interval() for line in body.splitlines() if line.strip())
