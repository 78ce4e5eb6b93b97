"""When a machine at rest may go: it was kept long enough for all its workspaces, and all their files are saved."""

from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Machine, Workspace
from hotdesk.core.actions import ArchiveMachine, ReportWorkspace
from hotdesk.core.facts import Instance
from hotdesk.core.lifecycle import told
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.proofs import backup_of, proof_for
from hotdesk.core.terms import terms_of, wants_machine

_SOON = timedelta(seconds=5)
_GIVEN_UP = ("Interrupted", "NoCapacity")  # the machine has no future: its user goes on elsewhere


def retire(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> ReportWorkspace | None:
    """Begin to archive a workspace when its machine may go: it was kept long enough for all, and all files are saved.

    Nobody turns back from there but with the machine, so nobody goes ahead of the others on it.
    """
    due = _goes_at(facts, workspace, machine, instance, now=now)
    if due is None:
        return None
    if now < due:
        facts.life.put(workspace.metadata.uid, due)
        return None
    users = [facts.workspaces.get(claim.workspace.uid) for claim in machine.spec.claims]
    if not all(user is not None and _may_go(facts, user, machine, instance, now=now) for user in users):
        facts.life.put(workspace.metadata.uid, now + _SOON)
        return None
    return ReportWorkspace(workspace=workspace, status=told.archiving(workspace, now=now))


def archive(facts: PoolFacts, machine: Machine) -> ArchiveMachine | None:
    """Give the machine back once all its workspaces are archiving; none of them can turn back any more."""
    for claim in machine.spec.claims:
        workspace = facts.workspaces.get(claim.workspace.uid)
        if workspace is None or workspace.status.phase != "Archiving":
            return None
    return ArchiveMachine(machine=machine) if machine.metadata.name not in facts.busy else None


def is_kept(facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance) -> bool:
    """Tell whether the files outlive the machine, or will: else it does not go before its time."""
    return backup_of(facts.pool) is not None or proof_for(workspace, machine, instance) is not None


def is_given_up(facts: PoolFacts, machine: Machine) -> bool:
    """Tell whether a machine has no future while its files have one: then nobody is woken on it."""
    stop = machine.spec.stop
    return stop is not None and stop.reason in _GIVEN_UP and backup_of(facts.pool) is not None


def _may_go(facts: PoolFacts, user: Workspace, machine: Machine, instance: Instance, *, now: datetime) -> bool:
    if user.status.machine != machine.metadata.name:
        return False
    if user.status.phase == "Archiving":
        return True
    due = _goes_at(facts, user, machine, instance, now=now)
    if due is None or now < due or (wants_machine(user) and not is_given_up(facts, machine)):
        return False
    return backup_of(facts.pool) is None or proof_for(user, machine, instance) is not None


def _goes_at(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> datetime | None:
    """Return until when a workspace's machine at rest is kept; None for ever."""
    stop = machine.spec.stop
    if facts.pool is None or stop is None:
        return None
    if (instance.spot or stop.reason in _GIVEN_UP) and is_kept(facts, workspace, machine, instance):
        return now
    retention = terms_of(workspace, facts.pool).retention
    return None if retention is None else (workspace.status.stopped_at or now) + retention
