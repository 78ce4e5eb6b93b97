"""The time for which a machine runs, or has run, for workspaces, as far as it is not accounted for yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from hotdesk.api.v1alpha1 import Machine, Used
from hotdesk.core.facts import Instance
from hotdesk.core.usage import run_end, used_of, with_ends

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when a machine ran for a workspace of an owner; it has not ended while `until` is None."""

    key: str  # which one it is, whenever it ends
    owner: str
    since: datetime
    until: datetime | None = None


def stretches_of(machine: Machine, instance: Instance | None, *, now: datetime) -> Iterator[Stretch]:
    """Yield what a machine's record has still to account for, and since when it runs for its claims."""
    spec = machine.spec if instance is None else with_ends(machine, instance, now=now)
    for used in spec.used:
        yield Stretch(key_of(machine, used), used.owner, used.since, used.until)
    if instance is None or run_end(instance, now=now) is not None:
        return
    for claim in spec.claims:
        yield Stretch(f"{machine.metadata.name}/{claim.slot}", claim.owner, used_of(machine, claim, instance).since)


def key_of(machine: Machine, used: Used) -> str:
    """Return the name of what a machine has to account for: another for each stretch of time."""
    return f"{machine.metadata.name}/{used.slot}/{used.since.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def midnight_before(moment: datetime) -> datetime:
    """Return when the day of a moment began, in UTC."""
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)
