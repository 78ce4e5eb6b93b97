"""What those who wait are told: their place, how long it may take, and what everybody waits for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Workspace, WorkspaceStatus
from hotdesk.core import queue, workspace_status
from hotdesk.core.actions import ReportWorkspace
from hotdesk.core.group.capacity import Sizing
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.standing import Standing

REPORTS_AT_ONCE = 50
"""Statuses written per pass: a long queue is told its places from the front, and never floods the API server."""
_LONGEST_HOLD = timedelta(days=365)
"""A claim that seems older says little of the next; one that seems to lie ahead says that clocks differ."""
_SHORTEST = timedelta(seconds=1)  # a wait is never told as less; a negative one could not even be read again


@dataclass(frozen=True, slots=True)
class Outlook:
    """Why nobody waits less, and how fast the queue moves."""

    because: str
    cause: str  # one word for the metric of misses
    boot_time: timedelta | None  # typical time from launch to ready
    hold_time: timedelta | None  # mean age of the claims: the best guess at how long they will last


def outlook(
    facts: PoolFacts, sizing: Sizing, *, trouble: str | None, boot_time: timedelta | None, now: datetime
) -> Outlook:
    """Say in one sentence what the queue waits for; `trouble` is what AWS refuses, if it does."""
    limit = facts.pool.spec.max_machines if facts.pool is not None else 0
    if trouble is not None:
        cause, because = "LaunchFailed", trouble
    elif sizing.want >= sizing.room and facts.totals.supply >= sizing.room:
        cause = "AtMaxMachines"
        because = f"all {limit} machines that maxMachines allows are in use; the next to become free is given out."
    else:
        cause, because = "BufferEmpty", "all machines are taken and new ones are being launched."
    return Outlook(
        because=because,
        cause=cause,
        boot_time=boot_time,
        hold_time=_mean_age(facts, now=now) if facts.waiting else None,
    )


def plan_queue_reports(facts: PoolFacts, view: Outlook, sizing: Sizing, *, now: datetime) -> Iterator[ReportWorkspace]:
    """Tell those who wait their place, from the front, where what they were told is no longer right."""
    reports = 0
    for ahead, ticket in enumerate(queue.in_order(facts.waiting.values(), now=now)):
        workspace = facts.workspaces[ticket.uid]
        wait = _estimate(facts, view, sizing, ahead=ahead, now=now)
        status = workspace_status.queued(workspace, ahead=ahead, estimated_wait=wait, because=view.because, now=now)
        if _tells_more(status, workspace):
            yield ReportWorkspace(workspace=workspace, status=status)
            reports += 1
            if reports >= REPORTS_AT_ONCE:
                return


def _estimate(facts: PoolFacts, view: Outlook, sizing: Sizing, *, ahead: int, now: datetime) -> timedelta | None:
    """Return how long until this place is served, or None while nothing was measured to tell it from.

    Places up to the number of slots on their way are served when those have booted. Beyond the ceiling a slot must
    be given back first: n claims of mean age a are given back at a rate of about n / a, and a machine boots after it.
    """
    if view.boot_time is None:
        return None
    slots = facts.slots_per_machine
    coming = max(facts.totals.booting, sizing.desired * slots)
    if ahead < coming:
        return max(_SHORTEST, view.boot_time - _head_start(facts, now=now))
    if not facts.totals.claimed or view.hold_time is None:
        return None
    # Ages and boot times are measured against other clocks than ours, and may come out negative.
    return max(_SHORTEST, view.hold_time * (ahead + 1 - coming) / facts.totals.claimed + view.boot_time)


def _head_start(facts: PoolFacts, *, now: datetime) -> timedelta:
    """Return how long the machine that has booted longest is under way."""
    launches = (
        instance.launched_at
        for name in facts.by_standing[Standing.BOOTING]
        if (instance := facts.instances.get(name)) is not None and instance.launched_at is not None
    )
    return now - min(launches, default=now)


def _mean_age(facts: PoolFacts, *, now: datetime) -> timedelta | None:
    ages = [
        min(max(timedelta(), now - claim.claimed_at), _LONGEST_HOLD)
        for name in facts.by_standing[Standing.CLAIMED]
        for claim in facts.machines[name].spec.claims
    ]
    return sum(ages, timedelta()) / len(ages) if ages else None


def _tells_more(status: WorkspaceStatus, workspace: Workspace) -> bool:
    """Tell whether a new status is worth a write: places far back may be off by a tenth, waits by a quarter."""
    told = workspace.status
    if told.queue is None or status.queue is None or told.observed_generation != status.observed_generation:
        return True
    if told.machine is not None or _reason(told) != _reason(status):
        return True
    moved = abs(told.queue.position - status.queue.position)
    if moved >= max(1, told.queue.position // 10):
        return True
    before, after = told.queue.estimated_wait, status.queue.estimated_wait
    if before is None or after is None:
        return before is not after
    return abs(after - before) > max(before / 4, timedelta(seconds=10))


def _reason(status: WorkspaceStatus) -> tuple[str, str] | None:
    """Return the reason and what everybody waits for, without the place."""
    ready = next((c for c in status.conditions if c.type == "Ready"), None)
    return (ready.reason, ready.message.partition(": ")[2]) if ready is not None else None
