"""What the pool's status keeps of the day: the use of owners in intervals that have ended, each counted once."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta

from hotdesk.api.v1alpha1 import OwnerSeconds, Today
from hotdesk.core.quota.stretches import DAY, Stretch, midnight_before

OWNERS = 2000
"""How many owners are kept: with the longest names, half of what the API server can store in one object."""
_COUNTED = 5000
_SECOND = timedelta(seconds=1)


def today_after(today: Today | None, stretches: Collection[Stretch], *, now: datetime) -> Today:
    """Return the day's record with every stretch counted that has ended; a new day begins with nothing.

    `stretches` must be all that machines' records still hold. One may be taken off its record when the stored status
    counts it; from then on it is not named here any more. So a crash between the two writes counts nothing twice.
    """
    midnight = midnight_before(now)
    owners = dict(_owners(today)) if today is not None and today.date == _written(midnight) else {}
    known = frozenset(today.counted) if today is not None else frozenset[str]()
    counted: list[str] = []
    for stretch in sorted(stretches, key=lambda stretch: stretch.key):
        if stretch.until is None:
            continue
        if stretch.key not in known:
            if len(counted) == _COUNTED:
                continue  # it waits until others are off their records
            owners[stretch.owner] = owners.get(stretch.owner, 0) + _within(stretch, midnight)
        counted.append(stretch.key)
    most = sorted((item for item in owners.items() if item[1]), key=lambda item: (-item[1], item[0]))[:OWNERS]
    return Today(
        date=_written(midnight),
        owners=tuple(OwnerSeconds(owner=owner, seconds=seconds) for owner, seconds in sorted(most)),
        counted=tuple(counted),
    )


def is_counted(today: Today | None, key: str) -> bool:
    """Tell whether the stored record holds a stretch: then it may be taken off its machine's record."""
    return today is not None and key in today.counted


def ended_of(today: Today | None) -> tuple[Mapping[str, timedelta], datetime | None]:
    """Return the use by owner and the midnight of its day, as OwnerMinutes takes them in."""
    if today is None:
        return {}, None
    try:
        day = date.fromisoformat(today.date)
    except ValueError:
        return {}, None
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return {owner: timedelta(seconds=seconds) for owner, seconds in _owners(today).items()}, midnight


def _owners(today: Today) -> dict[str, int]:
    return {one.owner: one.seconds for one in today.owners}


def _written(midnight: datetime) -> str:
    return midnight.date().isoformat()


def _within(stretch: Stretch, midnight: datetime) -> int:
    """Return the whole seconds of a stretch that has ended which lie in the day."""
    end = min(stretch.until or stretch.since, midnight + DAY)
    return (max(timedelta(), end - max(stretch.since, midnight)) + _SECOND / 2) // _SECOND
