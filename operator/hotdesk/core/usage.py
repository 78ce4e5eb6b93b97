"""Who used a machine, from when to when, and what that adds up to for its workspace."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from hotdesk.api.v1alpha1 import Claim, Machine, MachineSpec, Usage, Used
from hotdesk.core.facts import Instance, InstanceState

_RUNS = frozenset({InstanceState.PENDING, InstanceState.RUNNING})
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of time in which a machine ran for one workspace; it has ended."""

    pool: str
    namespace: str
    workspace: str
    uid: str
    owner: str
    machine: str
    slot: int
    started_at: datetime
    ended_at: datetime
    instance_type: str = ""
    zone: str = ""
    spot: bool = False

    @property
    def identity(self) -> tuple[str, datetime, str, int]:
        """What makes it this interval and no other; when it ended is no part of it."""
        return self.uid, self.started_at, self.machine, self.slot

    @property
    def length(self) -> timedelta:
        """How long it was; clocks that disagree make it zero, never negative."""
        return max(timedelta(), self.ended_at - self.started_at)

    @property
    def billed_minutes(self) -> int:
        """Its length rounded up to whole minutes."""
        return -(-self.length // _MINUTE)

    @property
    def day(self) -> date:
        """The day in UTC on which it ended: where the ledger keeps it."""
        return self.ended_at.astimezone(UTC).date()


def run_end(instance: Instance, *, now: datetime) -> datetime | None:
    """Return when the instance's latest run ended, as well as it is known now; None while it runs.

    EC2 tells the second at which the stop or termination was asked for, which is where it ends the bill; it says so to
    whoever asks, so it is the same after a restart. It tells nothing of some interruptions: then it is now, when it is
    first seen so, and the next look would say something else: put it on record first, see `with_ends`.
    """
    if instance.state in _RUNS:
        return None
    end = instance.ended_at or now
    return end if instance.launched_at is None else max(end, instance.launched_at)


def claim_time(usage: Usage | None, *, now: datetime) -> datetime:
    """Return the time to write into a new claim: now, but after every interval of the workspace that was counted.

    A clock that stepped back would otherwise make a new interval look like a repetition of an old one.
    """
    if usage is None or usage.last_interval is None:
        return now
    return max(now, usage.last_interval + _TICK)


def used_of(machine: Machine, claim: Claim, instance: Instance | None) -> Used:
    """Return since when a machine runs for a claim: its latest start, or the claim if that came later."""
    launched_at = machine.status.launched_at if instance is None else instance.launched_at
    since = claim.used_until or claim.claimed_at
    if launched_at is not None:
        since = max(since, launched_at)
    return Used(slot=claim.slot, workspace=claim.workspace, owner=claim.owner, since=since)


def with_ends(machine: Machine, instance: Instance, *, now: datetime) -> MachineSpec:
    """Return the spec as it must be stored once a machine is seen not running, before anything else is done to it.

    Starting or terminating it makes EC2 forget when it ended. The run of each claim is put on record, whoever ended it.
    """
    spec, end = machine.spec, run_end(instance, now=now)
    if end is None:
        return spec
    used = [one if one.until is not None else _closed(one, end) for one in spec.used]
    claims: list[Claim] = []
    for claim in spec.claims:
        if not _is_on_record(claim, instance):
            used.append(_closed(used_of(machine, claim, instance), end))
            claim = claim.model_copy(update={"used_until": end})  # noqa: PLW2901
        claims.append(claim)
    return spec.model_copy(update={"used": tuple(used), "claims": tuple(claims)})


def closed_by(machine: Machine, end: datetime) -> MachineSpec:
    """Return the spec of a machine that EC2 does not know any more: whatever had not ended has by then."""
    used = [one if one.until is not None else _closed(one, end) for one in machine.spec.used]
    open_ = [claim for claim in machine.spec.claims if claim.used_until is None]
    used += [_closed(used_of(machine, claim, None), end) for claim in open_]
    claims = tuple(c if c not in open_ else c.model_copy(update={"used_until": end}) for c in machine.spec.claims)
    return machine.spec.model_copy(update={"used": tuple(used), "claims": claims})


def left_behind(
    machine: Machine, instance: Instance | None, left: Iterable[Claim], *, now: datetime, is_last: bool
) -> tuple[Used, ...]:
    """Return what a machine has to remember of claims that go, beyond what is on its record.

    Where they were the last ones the time runs on until the machine does not: its end is put on record then.
    """
    remembered: list[Used] = []
    for claim in left:
        if instance is not None and instance.state not in _RUNS:
            if not _is_on_record(claim, instance):
                end = run_end(instance, now=now) or now
                remembered.append(_closed(used_of(machine, claim, instance), end))
            continue
        used = used_of(machine, claim, instance)
        remembered.append(used if is_last else _closed(used, now))
    return tuple(remembered)


def lacks_end(machine: Machine, instance: Instance) -> bool:
    """Tell whether a run has ended of which EC2 alone knows the end; a start or a termination makes it forget that."""
    if instance.state in _RUNS:
        return False
    is_open = any(used.until is None for used in machine.spec.used)
    return is_open or any(not _is_on_record(claim, instance) for claim in machine.spec.claims)


def is_accountable(machine: Machine, instance: Instance | None) -> bool:
    """Tell whether a machine has time to account for, or its record lacks the end of a run."""
    if machine.spec.used:
        return True
    return instance is not None and lacks_end(machine, instance)


def interval_of(machine: Machine, used: Used) -> Interval | None:
    """Return the interval that a machine has to account for, or None while its end is not on record."""
    if used.until is None:
        return None
    status = machine.status
    return Interval(
        pool=machine.spec.pool,
        namespace=used.workspace.namespace,
        workspace=used.workspace.name,
        uid=used.workspace.uid,
        owner=used.owner,
        machine=machine.metadata.name,
        slot=used.slot,
        started_at=used.since,
        ended_at=used.until,
        instance_type=status.instance_type or "",
        zone=status.zone or "",
        spot=status.lifecycle == "spot",
    )


def usage_after(usage: Usage | None, *intervals: Interval) -> Usage:
    """Return the usage of a workspace with its intervals counted, each exactly once however often it is given.

    What began no later than the latest that is counted was counted before. So an interval must not be counted while
    one that began before it is still open: give all of the workspace that are uncounted, up to the first open one.
    """
    total = usage or Usage()
    for interval in sorted(intervals, key=lambda interval: interval.started_at):
        if total.last_interval is None or total.last_interval < interval.started_at:
            total = Usage(
                running_seconds=total.running_seconds + _whole_seconds(interval.length),
                billed_minutes=total.billed_minutes + interval.billed_minutes,
                last_interval=interval.started_at,
            )
    return total


def _is_on_record(claim: Claim, instance: Instance) -> bool:
    """Tell whether the latest run of a machine that does not run is on record for a claim."""
    until, launched_at = claim.used_until, instance.launched_at
    return until is not None and (launched_at is None or launched_at <= until)


def _closed(used: Used, end: datetime) -> Used:
    """Return it with its end; a claim from a clock that was ahead began no later than that."""
    return used.model_copy(update={"since": min(used.since, end), "until": end})


def _whole_seconds(length: timedelta) -> int:
    return (length + _SECOND / 2) // _SECOND
