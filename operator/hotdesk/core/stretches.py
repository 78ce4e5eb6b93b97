"""The time for which a machine runs, or has run, for workspaces, as far as it is not accounted for yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from hotdesk.api.v1alpha1 import Machine, Used
from hotdesk.core.facts import Instance
from hotdesk.core.usage import run_end, start_of

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when a machine ran for a workspace of an owner; it has not ended while `until` is None."""

    key: str  # which one it is, whenever it ends
    owner: str
    since: datetime
    until: datetime | None = None


def stretches_of(machine: Machine, instance: Instance | None, *, now: datetime) -> Iterator[Stretch]:
    """Yield what a machine's record says: what it has still to account for, and the claims it runs for."""
    ended_at = run_end(machine, instance, now=now)
    last: dict[int, datetime] = {}  # by slot: what was used up to then is not used once more
    for used in machine.spec.used:
        end = used.until or ended_at
        if end is not None:
            last[used.slot] = max(end, last.get(used.slot, end))
        yield Stretch(key_of(machine, used), used.owner, used.since, end)
    is_closed = machine.spec.stop is not None and machine.spec.stop.final  # then `used` holds it
    if instance is None or ended_at is not None or is_closed:
        return
    for claim in machine.spec.claims:
        since = start_of(claimed_at=claim.claimed_at, launched_at=instance.launched_at)
        since = max(since, last.get(claim.slot, since))
        yield Stretch(f"{machine.metadata.name}/{claim.slot}", claim.owner, since)


def key_of(machine: Machine, used: Used) -> str:
    """Return the name of what a machine has to account for: another for each stretch of time."""
    return f"{machine.metadata.name}/{used.slot}/{used.since.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def midnight_before(moment: datetime) -> datetime:
    """Return when the day of a moment began, in UTC."""
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)
