"""One pass over a pool: everything that is to be done about it now."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from hotdesk.api.v1alpha1 import CapacityCall, ClaimStats
from hotdesk.core import leaks, machine_status, machines, pool_status, waiting, workspace_reports
from hotdesk.core.actions import Action, HoldPool, LetPoolGo, ReportPool
from hotdesk.core.facts import LaunchFailure
from hotdesk.core.group import capacity, securing
from hotdesk.core.group.capacity import Rise, Sizing
from hotdesk.core.group.setup import SetUp, inspect
from hotdesk.core.lifecycle import accounting, keeping, phases, power
from hotdesk.core.machines import BootRecord
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.pool_status import PoolReport, Trouble
from hotdesk.core.standing import Standing

FINALIZER = "hotdesk.dev/pool"


@dataclass(frozen=True, slots=True)
class Memory:
    """What the actor carries from pass to pass; losing it costs time, never safety."""

    rise: Rise
    boots: BootRecord = field(default_factory=BootRecord)
    ready: frozenset[str] = frozenset()  # booting machines whose probe succeeded
    troubles: tuple[Trouble, ...] = ()  # what AWS refuses at the moment
    queue_troubles: tuple[Trouble, ...] = ()  # why its queue of interruptions cannot be read
    failures: tuple[LaunchFailure, ...] = ()
    scaling_policies: tuple[str, ...] = ()
    stats: ClaimStats | None = None
    capacity_call: CapacityCall | None = None  # a raising call, ours or another operator's, that may still arrive late


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What a pass decided, and what it learned on the way."""

    actions: tuple[Action, ...]
    memory: Memory
    sizing: Sizing
    miss_cause: str  # why a workspace that found no slot found none
    is_moving: bool  # whether AWS is about to change: then it is looked at more often
    leaked: int = 0  # instances that belong to nobody


def plan_upkeep(facts: PoolFacts, memory: Memory, *, now: datetime) -> Upkeep:
    """Return everything but claims: machines, capacity, securing, the group's set-up, and what people are told."""
    sizing, rise = capacity.size(facts, waiting=len(facts.waiting), rise=memory.rise, now=now)
    memory = replace(memory, rise=rise)
    set_up = _set_up(facts, memory)
    capacity_call = capacity.next_call(facts, sizing, may_raise=memory.capacity_call is None)
    is_lowering = capacity_call is not None and not capacity_call.raises
    trouble = memory.failures[0].message if memory.failures else None
    view = waiting.outlook(facts, sizing, trouble=trouble, boot_time=memory.boots.typical(), now=now)
    actions: list[Action] = [
        *workspace_reports.plan_held(facts, now=now),
        *workspace_reports.plan_refreshed(facts),
        *waiting.plan_queue_reports(facts, view, sizing, now=now),
    ]
    if facts.surroundings.rival is None:  # else the machines are another pool's
        actions += [
            *machines.plan_records(facts),
            *machines.plan_probes(facts, ready=memory.ready, now=now),
            *machine_status.plan_reports(facts, now=now),
        ]
        if facts.pool is not None and not facts.pool.spec.paused:
            actions += phases.plan_lives(facts, now=now)
            actions += leaks.plan_leaks(facts, now=now)
        actions += accounting.plan_accounting(facts, now=now)
    if _may_change_aws(facts):
        actions += power.plan_power(facts, ready=memory.ready, now=now)
        actions += keeping.plan_keeping(facts)
        actions += leaks.plan_disks(facts, now=now)
        actions += _changes(facts, memory, sizing, is_lowering=is_lowering, now=now)
        if capacity_call is not None and (set_up.repair is None or not capacity_call.raises):
            actions.append(capacity_call)  # nothing is launched into a group that is not set up yet
        if set_up.repair is not None and facts.group is not None and not facts.is_stale(facts.group.name):
            actions.append(set_up.repair)
    leaked = leaks.found(facts, now=now)
    report = PoolReport(
        sizing=sizing,
        set_up_faults=set_up.faults,
        troubles=memory.troubles,
        queue_troubles=memory.queue_troubles,
        failures=memory.failures,
        stats=memory.stats,
        capacity_call=memory.capacity_call,
        quarantine=_quarantine(facts, memory),
        leaked=leaked,
        unused_disks=leaks.disks(facts, now=now),
    )
    actions += _pool_actions(facts, report, now=now)
    return Upkeep(
        actions=tuple(actions),
        memory=memory,
        sizing=sizing,
        miss_cause=view.cause,
        is_moving=is_moving(facts) or capacity_call is not None,
        leaked=len(leaked),
    )


def is_moving(facts: PoolFacts) -> bool:
    """Tell whether AWS has work of ours under way, whose end we wait for."""
    if facts.group is None:
        return False
    return bool(
        facts.totals.booting
        or facts.unregistered
        or not facts.unsecured <= facts.busy  # a claim under way asks nothing of AWS
        or facts.by_standing[Standing.REAPING]
        or facts.life.moving
        or facts.by_standing[Standing.LEAVING]
        or facts.counted != facts.group.desired,
    )


def _may_change_aws(facts: PoolFacts) -> bool:
    return (
        facts.pool is not None
        and facts.group is not None
        and facts.is_surveyed  # an instance that nobody has looked at yet counts against the ceiling, too
        and not facts.pool.spec.paused
        and facts.surroundings.rival is None
    )


def _set_up(facts: PoolFacts, memory: Memory) -> SetUp:
    if facts.pool is None or facts.group is None or facts.surroundings.rival is not None:
        return SetUp(repair=None, faults=())
    return inspect(
        facts.group,
        pool=facts.pool.metadata.name,
        manages=facts.pool.spec.aws.manage_group,
        scaling_policies=memory.scaling_policies,
    )


def _changes(
    facts: PoolFacts,
    memory: Memory,
    sizing: Sizing,
    *,
    is_lowering: bool,
    now: datetime,
) -> list[Action]:
    """Return the calls that change machines; those that AWS would answer with a launch wait for a lowered capacity."""
    is_fenced = capacity.is_fenced(facts, sizing)
    single: list[Action | None] = [
        machines.plan_protection(facts),
        machines.plan_pool_tags(facts),
        securing.plan_securing(facts, is_fenced=is_fenced, is_settled=not is_lowering, now=now),
    ]
    return [
        *machines.plan_reaps(facts, sizing, memory.boots, now=now),
        *machines.plan_terminations(facts, is_settled=not is_lowering),
        *(action for action in single if action is not None),
    ]


def _quarantine(facts: PoolFacts, memory: Memory) -> str | None:
    if memory.boots.failures < machines.FAILURES_IN_A_ROW:
        return None
    minutes = machines.deadline_of(facts).total_seconds() / 60
    return (
        f"{memory.boots.failures} machines in a row did not pass the readiness probe within {minutes:g} min: correct "
        "spec.readiness or the launch template. Replacements are launched ever more slowly until one passes."
    )


def _is_empty(facts: PoolFacts) -> bool:
    """Tell whether a deleted pool leaves nothing behind: no record, no member that is still to get one, nobody untold.

    Once it is gone nobody would tell a workspace that its machine is.
    """
    if facts.machines:
        return False
    if facts.surroundings.rival is not None:
        return True
    if any(workspace.status.machine is not None for workspace in facts.workspaces.values()):
        return False
    seen, answered = facts.observation, facts.capacity_answered_at
    if seen is None or not facts.is_surveyed or (answered is not None and seen.began < answered):
        return False  # what our last capacity call launched is in no look yet
    return facts.group is None or not (facts.members or facts.group.desired)


def _pool_actions(facts: PoolFacts, report: PoolReport, *, now: datetime) -> list[Action]:
    pool = facts.pool
    if pool is None:
        return []
    is_held = FINALIZER in pool.metadata.finalizers
    if pool.metadata.deletion_timestamp is None and not is_held:
        return [HoldPool()]
    is_empty = _is_empty(facts) and report.capacity_call is None  # such a call may still launch something
    if pool.metadata.deletion_timestamp is not None and is_held and is_empty:
        return [LetPoolGo()]
    status = pool_status.status_of(pool, facts, report, now=now)
    return [ReportPool(pool=pool, status=status)] if pool_status.worth_writing(pool.status, status) else []
