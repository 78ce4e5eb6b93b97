"""Each workspace's next step: what it is told, and whether its machine rests, wakes, or goes."""

from collections.abc import Iterator
from datetime import datetime

from hotdesk.api.v1alpha1 import Machine, Workspace
from hotdesk.core.actions import (
    ArchiveMachine,
    FindFiles,
    ReportWorkspace,
    Restore,
    StopMachine,
    WakeMachine,
)
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.core.lifecycle import told
from hotdesk.core.lifecycle.archiving import archive
from hotdesk.core.lifecycle.following import follow
from hotdesk.core.lifecycle.resting import at_rest
from hotdesk.core.lifecycle.restoring import restore
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.rest import is_restarted

LifeAction = ReportWorkspace | StopMachine | WakeMachine | ArchiveMachine | Restore | FindFiles

LOOKS_AT_ONCE = 200  # workspaces per pass; the rest is looked at in the next ones


def plan_lives(facts: PoolFacts, *, now: datetime) -> Iterator[LifeAction]:
    """Look at every workspace that something happened to, or whose time has come, until nothing is left to do."""
    if facts.pool is None:
        return
    for uid in facts.life.due(now=now)[:LOOKS_AT_ONCE]:
        action = _look(facts, uid, now=now)
        if action is None:
            facts.life.astir.discard(uid)
        else:
            yield action


def _look(facts: PoolFacts, uid: str, *, now: datetime) -> LifeAction | None:
    workspace = facts.workspaces.get(uid)
    if workspace is None or uid in facts.serving or workspace.metadata.deletion_timestamp is not None:
        return None
    name = workspace.status.machine
    if name is None:
        return _without_machine(facts, workspace, now=now)
    machine, instance = facts.machines.get(name), facts.instances.get(name)
    if name in facts.claims_of.get(uid, ()) and machine is not None:
        return _with_machine(facts, workspace, machine, instance, now=now) if instance is not None else None
    if workspace.status.phase == "Archiving" and machine is None and not facts.claims_of.get(uid):
        return ReportWorkspace(workspace=workspace, status=told.archived(workspace, now=now))
    return None


def _without_machine(facts: PoolFacts, workspace: Workspace, *, now: datetime) -> ReportWorkspace | None:
    if workspace.metadata.uid not in facts.resting:
        return None
    status = workspace.status
    if status.phase in ("Stopped", "Archived") and status.observed_generation == workspace.metadata.generation:
        return None
    return ReportWorkspace(workspace=workspace, status=told.resting(workspace, now=now))


def _with_machine(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> LifeAction | None:
    if workspace.status.phase == "Archiving" and machine.spec.stop is not None:  # else somebody beside it woke it
        return archive(facts, machine)
    if machine.spec.stop is not None:
        return at_rest(facts, workspace, machine, instance, now=now)
    return _awake(facts, workspace, machine, instance, now=now)


def _awake(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> LifeAction | None:
    pool, phase = facts.pool, workspace.status.phase
    if pool is None:
        return None
    is_up = instance.state is InstanceState.RUNNING and not is_restarted(machine, instance)
    if phase == "Restoring" and is_up:
        return restore(facts, workspace, machine, instance, now=now)
    if not is_up:
        if phase in ("Starting", "Restoring"):
            return None
        return ReportWorkspace(workspace=workspace, status=told.starting(workspace, machine=machine, now=now))
    if phase != "Running":
        status = told.running(workspace, machine=machine, pool=pool, now=now)
        return ReportWorkspace(workspace=workspace, status=status)
    return follow(facts, workspace, machine, instance, now=now)
