"""What a pool is told: its counts, and what is wrong with the fix beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hotdesk.api.conditions import Condition, ConditionStatus, set_condition
from hotdesk.api.v1alpha1 import CapacityCall, ClaimStats, MachinePool, MachinePoolStatus, Today
from hotdesk.core import leaks
from hotdesk.core.facts import FailureCause, LaunchFailure
from hotdesk.core.group.capacity import Sizing
from hotdesk.core.leaks import Leak
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.quota.today import today_after

_NAMED_HOLDERS = 5
_HEARD = "InterruptionsHeard"
_SOMETIMES = frozenset({_HEARD})  # conditions that not every pool has

_FIXES = {
    FailureCause.CAPACITY: "add instance types or subnets to the group, or wait: launches are retried",
    FailureCause.QUOTA: "ask AWS for a higher quota of this instance family, or end other instances",
    FailureCause.CONFIGURATION: "correct the group's launch template",
    FailureCause.OTHER: "look at the group's activity history",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One call that AWS refused and has not accepted since."""

    what: str  # the capability in a word, such as PermissionDenied
    message: str


@dataclass(frozen=True, slots=True)
class PoolReport:
    """Everything a pool's status is made of besides the facts."""

    sizing: Sizing
    set_up_faults: tuple[str, ...]
    troubles: tuple[Trouble, ...]
    failures: Sequence[LaunchFailure]  # launches that failed and were not made good since
    stats: ClaimStats | None
    capacity_call: CapacityCall | None
    queue_troubles: tuple[Trouble, ...] = ()  # why the queue of interruptions cannot be read
    leaked: tuple[Leak, ...] = ()
    unused_disks: tuple[str, ...] = ()
    quarantine: str | None = None  # why broken machines are not replaced at once


def status_of(pool: MachinePool, facts: PoolFacts, report: PoolReport, *, now: datetime) -> MachinePoolStatus:
    """Return the whole status as it should read now."""
    totals = facts.totals
    verdicts = _verdicts(pool, facts, report)
    conditions = tuple(c for c in pool.status.conditions if c.type in verdicts or c.type not in _SOMETIMES)
    for kind, (value, reason, message) in verdicts.items():
        conditions = set_condition(
            conditions,
            type=kind,
            status=value,
            reason=reason,
            message=message,
            observed_generation=pool.metadata.generation,
            now=now,
        )
    return MachinePoolStatus(
        observed_generation=pool.metadata.generation,
        idle=totals.idle + totals.spare,
        target=report.sizing.target,
        booting=totals.booting,
        claimed=totals.claimed,
        waiting=len(facts.waiting) + len(facts.serving),
        quarantined=totals.quarantined,
        stopped=totals.stopped,
        desired=facts.group.desired if facts.group is not None else 0,
        machines=totals.live,
        selector=f"hotdesk.dev/pool={pool.metadata.name}",
        claims=report.stats,
        capacity_call=report.capacity_call,
        today=_today(pool, facts, now=now),
        conditions=conditions,
    )


def _today(pool: MachinePool, facts: PoolFacts, *, now: datetime) -> Today | None:
    """Return what owners have used today, in a pool with a daily quota."""
    quota = pool.spec.quota
    if quota is None or quota.max_minutes_per_owner_per_day is None:
        return None
    return today_after(pool.status.today, facts.ended.values(), now=now)


Verdict = tuple[ConditionStatus, str, str]


def _verdicts(pool: MachinePool, facts: PoolFacts, report: PoolReport) -> dict[str, Verdict]:
    configured = _group_configured(pool, facts, report)
    capacity = _capacity_available(report)
    heard = _interruptions_heard(pool, report)
    return {
        **({} if heard is None else {_HEARD: heard}),
        "GroupConfigured": configured,
        "CapacityAvailable": capacity,
        "NoLeaks": _no_leaks(facts, report),
        "Paused": _paused(pool),
        "Ready": _ready(pool, facts, report, configured=configured, capacity=capacity),
    }


def _group_configured(pool: MachinePool, facts: PoolFacts, report: PoolReport) -> Verdict:
    name = pool.spec.aws.auto_scaling_group_name
    rival = facts.surroundings.rival
    if rival is not None:
        message = (
            f"Pool {rival} manages Auto Scaling group {name} already: one group serves one pool. Name another group."
        )
        return "False", "GroupInUse", message
    denied = next((t for t in report.troubles if t.what == "PermissionDenied"), None)
    if denied is not None:
        return "False", denied.what, denied.message
    if facts.observation is None:
        return "Unknown", "NotObserved", f"Auto Scaling group {name} was not looked at yet."
    if facts.group is None:
        message = f"Auto Scaling group {name} does not exist in {pool.spec.aws.region}: create it; Hotdesk never does."
        return "False", "GroupNotFound", message
    if report.set_up_faults:
        return "False", "SettingsWrong", _sentence(report.set_up_faults)
    if report.troubles:
        return "False", report.troubles[0].what, report.troubles[0].message
    return "True", "AsRequired", "The group cannot take a machine from its user."


def _capacity_available(report: PoolReport) -> Verdict:
    if not report.failures:
        return "True", "LaunchesSucceed", "AWS launches what is asked for."
    latest = report.failures[0]
    return "False", latest.cause.value, f"{latest.message.rstrip('.')}. To mend it: {_FIXES[latest.cause]}."


def _interruptions_heard(pool: MachinePool, report: PoolReport) -> Verdict | None:
    """Say whether the pool's queue can be read; nothing of a pool that has none. Without it only looks tell."""
    if pool.spec.aws.interruption_queue is None:
        return None
    if report.queue_troubles:
        return "False", report.queue_troubles[0].what, report.queue_troubles[0].message
    return "True", "Listening", "What AWS announces is heard at once."


def _no_leaks(facts: PoolFacts, report: PoolReport) -> Verdict:
    if report.leaked or report.unused_disks:
        return "False", "LeaksFound", leaks.message_of(report.leaked, report.unused_disks)
    if not facts.is_surveyed:
        return "Unknown", "NotObserved", "The pool's instances were not looked at yet."
    return "True", "NoneFound", "Every instance that carries the pool's tag is known."


def _paused(pool: MachinePool) -> Verdict:
    if pool.spec.paused:
        return "True", "PausedBySpec", "Nothing is changed in AWS and nobody is served until spec.paused is false."
    return "False", "Running", "The pool is at work."


def _ready(
    pool: MachinePool,
    facts: PoolFacts,
    report: PoolReport,
    *,
    configured: Verdict,
    capacity: Verdict,
) -> Verdict:
    if pool.metadata.deletion_timestamp is not None:
        return "False", "Deleting", deletion_message(facts)
    if facts.surroundings.schedule_fault is not None:
        return "False", "InvalidSchedule", facts.surroundings.schedule_fault
    if pool.spec.paused:
        return "False", "Paused", "The pool is paused: set spec.paused to false."
    if configured[0] != "True":
        return "False", configured[1], configured[2]
    if report.quarantine is not None:
        return "False", "MachinesNotReady", report.quarantine
    missing = report.sizing.target + len(facts.waiting) - facts.totals.idle - facts.totals.spare
    if missing <= 0:
        return "True", "BufferFull", "The buffer of idle machines is full."
    if capacity[0] != "True":
        return "False", capacity[1], capacity[2]
    if report.sizing.want >= report.sizing.room and facts.totals.supply >= report.sizing.room:
        return "False", "AtMaxMachines", f"All {pool.spec.max_machines} machines are in use: raise spec.maxMachines."
    return "False", "Filling", f"{missing} more idle slots are on their way."


def deletion_message(facts: PoolFacts) -> str:
    """Say what the deletion of a pool waits for."""
    holders = sorted(
        f"{claim.workspace.namespace}/{claim.workspace.name}"
        for machine in facts.machines.values()
        for claim in machine.spec.claims
    )
    if not holders:
        return f"Waiting for {len(facts.machines)} machines to be terminated."
    more = f" and {len(holders) - _NAMED_HOLDERS} more" if len(holders) > _NAMED_HOLDERS else ""
    return f"Waiting for the workspaces that hold machines: {', '.join(holders[:_NAMED_HOLDERS])}{more}. Delete them."


def worth_writing(before: MachinePoolStatus, after: MachinePoolStatus) -> bool:
    """Tell whether two statuses differ in more than the times of their conditions."""
    return _without_times(before) != _without_times(after)


def _without_times(status: MachinePoolStatus) -> tuple[object, ...]:
    told: Iterable[Condition] = status.conditions
    return (
        status.model_copy(update={"conditions": ()}),
        tuple((c.type, c.status, c.reason, c.message, c.observed_generation) for c in told),
    )


def _sentence(faults: Sequence[str]) -> str:
    text = " ".join(faults)
    return text[:1].upper() + text[1:]
