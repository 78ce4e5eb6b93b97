"""Who used a machine, from when to when, and what that adds up to for its workspace."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from hotdesk.api.v1alpha1 import Claim, Machine, Usage, Used
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


def start_of(*, claimed_at: datetime, launched_at: datetime | None) -> datetime:
    """Return since when a claimed machine runs for its workspace: the claim, or the instance's latest start."""
    return claimed_at if launched_at is None else max(claimed_at, launched_at)


def end_of(*, told: datetime | None, seen: datetime) -> datetime:
    """Return when a machine ceased to run: as EC2 tells it, else when it was first seen so.

    EC2 tells the second at which the stop or termination was asked for, which is where it ends the bill; it says so to
    whoever asks, so it is the same after a restart. It tells nothing of some interruptions: then `seen` has to be
    stored (Machine.status.stoppedAt, Used.until) before anything is made of it.
    """
    return seen if told is None else min(told, seen)


def run_end(machine: Machine, instance: Instance | None, *, now: datetime) -> datetime | None:
    """Return when the machine's latest run ended, as well as it is known now; None while it runs."""
    if instance is None or instance.state in _RUNS:
        return None
    stop, stopped_at = machine.spec.stop, machine.status.stopped_at
    if stop is None or stopped_at is None or stopped_at < stop.at:  # it is of an earlier stop
        stopped_at = None
    return end_of(told=instance.ended_at, seen=stopped_at or now)


def claim_time(usage: Usage | None, *, now: datetime) -> datetime:
    """Return the time to write into a new claim: now, but after every interval of the workspace that was counted.

    A clock that stepped back would otherwise make a new interval look like a repetition of an old one.
    """
    if usage is None or usage.last_interval is None:
        return now
    return max(now, usage.last_interval + _TICK)


def used_of(machine: Machine, claim: Claim, instance: Instance | None) -> Used:
    """Return what a machine that ceases to run for a claim has to remember of it."""
    launched_at = machine.status.launched_at if instance is None else instance.launched_at
    since = start_of(claimed_at=claim.claimed_at, launched_at=launched_at)
    return Used(slot=claim.slot, workspace=claim.workspace, owner=claim.owner, since=since)


def used_before_start(
    machine: Machine, instance: Instance, usages: Mapping[str, Usage | None], *, now: datetime
) -> tuple[Used, ...]:
    """Return `spec.used` as it must be stored before a stopped machine is started: its run keeps its own end.

    A run that nobody decided to end, since its user switched the machine off, is added; `usages` are those of the
    machine's workspaces, by UID, and tell which run is counted already.
    """
    end = run_end(machine, instance, now=now)
    if end is None:
        return machine.spec.used
    closed = [used if used.until is not None else used.model_copy(update={"until": end}) for used in machine.spec.used]
    known = {(used.slot, used.since) for used in closed}
    for claim in machine.spec.claims:
        used = used_of(machine, claim, instance)
        usage = usages.get(claim.workspace.uid)
        is_counted = usage is not None and usage.last_interval is not None and usage.last_interval >= used.since
        if (used.slot, used.since) not in known and not is_counted:
            closed.append(used.model_copy(update={"until": max(used.since, end)}))
    return tuple(closed)


def interval_of(machine: Machine, used: Used, *, ended_at: datetime | None = None) -> Interval | None:
    """Return the interval that a machine has to account for, or None while it has not ended.

    `ended_at` is the end of the machine's present run, see `end_of`; an end that the machine remembers comes first.
    """
    end = used.until or ended_at
    if end is None:
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
        ended_at=max(used.since, end),
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


def _whole_seconds(length: timedelta) -> int:
    return (length + _SECOND / 2) // _SECOND
