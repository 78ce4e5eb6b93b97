"""How many idle slots a pool should keep now, and whether its schedules can be obeyed at all."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from hotdesk.api.v1alpha1 import Buffer, Schedule

_HORIZON = timedelta(days=400)  # a yearly schedule shows up at least once
_STARTS = 500  # per schedule; bounds the work for one that starts every minute


def target(buffer: Buffer, *, claimed: int, now: datetime) -> int:
    """Return the idle slots wanted now: the largest of `idle`, `percent` of the claimed slots and the schedules."""
    share = -(-claimed * (buffer.percent or 0) // 100)
    scheduled = (schedule.idle for schedule in buffer.schedules if is_active(schedule, now=now))
    return max(buffer.idle, share, *scheduled, 0)


def is_active(schedule: Schedule, *, now: datetime) -> bool:
    """Tell whether `now` lies within a start of the schedule and its end; the end itself is outside."""
    zone = ZoneInfo(schedule.time_zone)
    # Subtracted in UTC: a wall clock's day has 23 or 25 hours twice a year.
    start = next(CronSim(schedule.start, _before((now - schedule.duration).astimezone(zone))), None)
    while start is not None and start <= now:
        if now - start < schedule.duration:
            return True
        start = next(CronSim(schedule.start, start), None)
    return False


def schedule_fault(schedules: Sequence[Schedule], *, now: datetime) -> str | None:
    """Return a sentence that says why the schedules cannot be used and what to do, or None if they can.

    Overlaps are looked for in the first 500 starts of each schedule within 400 days from `now`.
    """
    windows: list[tuple[datetime, datetime, str]] = []
    for schedule in schedules:
        try:
            windows += _windows(schedule, now=now)
        except (CronSimError, KeyError, ValueError) as fault:
            return f"Schedule {schedule.name} cannot be read ({fault}): correct its start or timeZone."
    windows.sort()
    for (_, end, first), (start, _, second) in pairwise(windows):
        if start < end:
            which = (
                f"Schedule {first} overlaps itself" if first == second else f"Schedules {first} and {second} overlap"
            )
            return f"{which} on {start:%Y-%m-%d at %H:%M} UTC: shorten a duration or move a start."
    return None


def _windows(schedule: Schedule, *, now: datetime) -> list[tuple[datetime, datetime, str]]:
    utc = ZoneInfo("UTC")
    starts = islice(CronSim(schedule.start, _before(now.astimezone(ZoneInfo(schedule.time_zone)))), _STARTS)
    begins = [start.astimezone(utc) for start in starts]
    return [(begin, begin + schedule.duration, schedule.name) for begin in begins if begin - now < _HORIZON]


def _before(moment: datetime) -> datetime:
    """Return the minute before: CronSim answers with starts strictly later than what it is given."""
    return moment.replace(second=0, microsecond=0) - timedelta(minutes=1)
