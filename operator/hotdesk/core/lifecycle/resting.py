"""A workspace whose machine is to be stopped, or is: what it is told, and whether its machine wakes or goes."""

from datetime import datetime

from hotdesk.api.v1alpha1 import Machine, Workspace
from hotdesk.core.actions import ReportWorkspace, WakeMachine
from hotdesk.core.backup_records import record_of
from hotdesk.core.facts import Instance
from hotdesk.core.lifecycle import told
from hotdesk.core.lifecycle.archiving import is_given_up, is_kept, retire
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.proofs import backup_of, proof_for
from hotdesk.core.rest import is_asleep
from hotdesk.core.terms import terms_of, wants_machine


def at_rest(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> ReportWorkspace | WakeMachine | None:
    """Tell how far the rest has come; then wake the machine for who wants it, or let it go when its time has come."""
    pool, phase, stop = facts.pool, workspace.status.phase, machine.spec.stop
    if pool is None or stop is None:
        return None
    is_stopped = is_asleep(machine, instance)
    if is_stopped and phase != "Stopped":
        return _report_stopped(facts, workspace, machine, now=now)
    if not is_stopped and phase != "Stopping":
        return ReportWorkspace(workspace=workspace, status=told.stopping(workspace, machine=machine, now=now))
    news = _news_of_backup(facts, workspace, machine, instance, now=now)
    if news is not None:
        return news
    obstacle = facts.asleep.get(workspace.metadata.uid)
    if obstacle is not None and is_stopped:  # beyond the quota, it stays as it is
        held = told.held_asleep(workspace, obstacle, now=now)
        return ReportWorkspace(workspace=workspace, status=held) if held != workspace.status else None
    is_stuck = instance.spot and not stop.final and not is_kept(facts, workspace, machine, instance)
    if is_stuck or (wants_machine(workspace) and not is_given_up(facts, machine)):
        name = machine.metadata.name
        may_wake = (is_stopped or not stop.final) and name not in facts.busy and name not in facts.accountable
        return WakeMachine(machine=machine) if may_wake else None
    if is_stopped or (instance.spot and not stop.final):
        return retire(facts, workspace, machine, instance, now=now)
    return None


def _report_stopped(
    facts: PoolFacts, workspace: Workspace, machine: Machine, *, now: datetime
) -> ReportWorkspace | None:
    """Tell that the machine is stopped, once its record says so."""
    if facts.pool is None or machine.status.stopped_at is None or machine.status.phase != "Stopped":
        return None
    terms = terms_of(workspace, facts.pool)
    return ReportWorkspace(workspace=workspace, status=told.stopped(workspace, machine=machine, terms=terms, now=now))


def _news_of_backup(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> ReportWorkspace | None:
    proof = proof_for(workspace, machine, instance)
    if proof is not None:
        if workspace.status.backup is not None and workspace.status.backup.id == proof.id:
            return None
        status = told.saved(workspace, proof, record=record_of(proof), now=now)
        return ReportWorkspace(workspace=workspace, status=status)
    trouble = facts.life.troubles.get((machine.metadata.name, workspace.status.slot or 0))
    if trouble is None or backup_of(facts.pool) is None:
        return None
    status = told.unsaved(workspace, trouble, now=now)
    return ReportWorkspace(workspace=workspace, status=status) if status != workspace.status else None
