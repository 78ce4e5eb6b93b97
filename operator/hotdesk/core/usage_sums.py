"""What the ledger's intervals add up to, by owner, workspace, pool or day, within a period."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from hotdesk.core.usage import Interval

By = Literal["owner", "workspace", "pool", "day"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` up to, and without, `until`."""

    since: datetime
    until: datetime

    def overlap(self, interval: Interval) -> timedelta:
        """Return how much of an interval lies within."""
        start, end = max(self.since, interval.started_at), min(self.until, interval.ended_at)
        return max(timedelta(), end - start)

    def has_end(self, interval: Interval) -> bool:
        """Tell whether an interval ended within."""
        return self.since <= interval.ended_at < self.until


@dataclass(frozen=True, slots=True)
class Sum:
    """What was used."""

    running: timedelta = timedelta()
    billed_minutes: int = 0
    intervals: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(
            self.running + other.running, self.billed_minutes + other.billed_minutes, self.intervals + other.intervals
        )


def summed(intervals: Iterable[Interval], *, by: By, period: Period) -> Mapping[str, Sum]:
    """Add up what lies within the period, in the order of the names.

    Time is cut at the borders: each side has its own part. Billed minutes are of a whole interval, which is rounded up
    once; they, and the interval itself, count where it ended.
    """
    sums: dict[str, Sum] = {}
    for interval in intervals:
        for name, part in _parts(interval, by=by, period=period):
            sums[name] = sums.get(name, Sum()) + part
    return dict(sorted(sums.items()))


def total(sums: Mapping[str, Sum]) -> Sum:
    """Return the sum of sums."""
    return sum(sums.values(), Sum())


def distinct(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return every interval once; of two that differ in their end alone, the one that ended first."""
    found: dict[tuple[str, datetime, str, int], Interval] = {}
    for interval in intervals:
        known = found.get(interval.identity)
        if known is None or interval.ended_at < known.ended_at:
            found[interval.identity] = interval
    return tuple(found.values())


def month(year: int, number: int) -> Period:
    """Return a month in UTC; the number runs from 1 to 12."""
    following = (year + 1, 1) if number == 12 else (year, number + 1)  # noqa: PLR2004  # December
    return Period(midnight(date(year, number, 1)), midnight(date(*following, 1)))


def midnight(day: date) -> datetime:
    """Return the beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def _parts(interval: Interval, *, by: By, period: Period) -> Iterator[tuple[str, Sum]]:
    for name, within in _rooms(interval, by=by, period=period):
        part = Sum(running=within.overlap(interval))
        if within.has_end(interval):
            part = replace(part, billed_minutes=interval.billed_minutes, intervals=1)
        if part != Sum():
            yield name, part


def _rooms(interval: Interval, *, by: By, period: Period) -> Iterator[tuple[str, Period]]:
    """Yield the periods that an interval may be in, each with the name it is shown under."""
    match by:
        case "owner":
            yield interval.owner, period
        case "workspace":
            yield f"{interval.namespace}/{interval.workspace}", period
        case "pool":
            yield interval.pool, period
        case "day":
            yield from _days(interval, period=period)


def _days(interval: Interval, *, period: Period) -> Iterator[tuple[str, Period]]:
    day = max(interval.started_at, period.since).astimezone(UTC).date()
    while midnight(day) <= interval.ended_at and midnight(day) < period.until:
        begin = midnight(day)
        yield day.isoformat(), Period(max(begin, period.since), min(begin + _DAY, period.until))
        day += _DAY
