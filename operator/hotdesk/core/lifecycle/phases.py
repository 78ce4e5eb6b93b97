"""Each workspace's next step: what it is told, and whether its machine rests, wakes, or goes."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Machine, Saved, Workspace
from hotdesk.core.actions import (
    ArchiveMachine,
    FindFiles,
    ReportWorkspace,
    Restore,
    StopMachine,
    WakeMachine,
)
from hotdesk.core.backup_records import made_with, record_of
from hotdesk.core.backups import RestoreJob
from hotdesk.core.doomed import doom_of
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.core.lifecycle import told
from hotdesk.core.lifecycle.idleness import ROUGHLY, Active, Due, Signs, Unsure, Verdict, Warn, is_probed, judge
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.proofs import backup_of, proof_of, resting
from hotdesk.core.rest import is_asleep, is_restarted
from hotdesk.core.terms import Terms, terms_of, wants_machine

LifeAction = ReportWorkspace | StopMachine | WakeMachine | ArchiveMachine | Restore | FindFiles

LOOKS_AT_ONCE = 200  # workspaces per pass; the rest is looked at in the next ones
_SOON = timedelta(seconds=5)
_LATER = timedelta(minutes=5)
_GIVEN_UP = ("Interrupted", "NoCapacity")  # the machine has no future: its user goes on elsewhere
_RECORDED = 10  # activity is recorded when it moved by a tenth of the idle timeout


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


def verdict_on(facts: PoolFacts, workspace: Workspace, *, now: datetime) -> Verdict:
    """Return what is to be done about a workspace that runs; its pool must be known."""
    if facts.pool is None:
        raise ValueError(f"the pool of {workspace.metadata.name} is not known")
    name, status = workspace.status.machine or "", workspace.status
    minutes = facts.quota.minutes
    used_up_at = minutes.used_up_at(workspace.spec.owner) if facts.pool.spec.lifecycle is not None else None
    signs = Signs(
        workspace=workspace,
        evidence=facts.life.evidence.get(name),
        warned_for=facts.life.warned_for(workspace.metadata.uid),
        is_probed=is_probed(facts.pool),
        handed_over_at=status.ready_at or status.claimed_at or now,
        used_up_at=used_up_at,
    )
    return judge(signs, terms_of(workspace, facts.pool), now=now)


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
        return _archive(facts, machine)
    if machine.spec.stop is not None:
        return _at_rest(facts, workspace, machine, instance, now=now)
    return _awake(facts, workspace, machine, instance, now=now)


# -- running ------------------------------------------------------------------------------------------------------


def _awake(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> LifeAction | None:
    pool, phase = facts.pool, workspace.status.phase
    if pool is None:
        return None
    is_up = instance.state is InstanceState.RUNNING and not is_restarted(machine, instance)
    if phase == "Restoring" and is_up:
        return _restore(facts, workspace, machine, instance, now=now)
    if not is_up:
        if phase in ("Starting", "Restoring"):
            return None
        return ReportWorkspace(workspace=workspace, status=told.starting(workspace, machine=machine, now=now))
    if phase != "Running":
        status = told.running(workspace, machine=machine, pool=pool, now=now)
        return ReportWorkspace(workspace=workspace, status=status)
    return _follow(facts, workspace, machine, instance, now=now)


def _follow(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> LifeAction | None:
    """Watch a workspace that runs: record activity, warn, and at last have its machine stopped."""
    if facts.pool is None:
        return None
    if not _can_rest(facts, instance):
        return _run_on(facts, workspace, now=now)
    doom = doom_of(machine, instance)
    if doom is not None and doom.reason == "SpotInterruption" and machine.metadata.name not in facts.members:
        return StopMachine(machine=machine, reason="Interrupted", final=False)
    terms = terms_of(workspace, facts.pool)
    verdict = verdict_on(facts, workspace, now=now)
    match verdict:
        case Active(until=until):
            facts.life.put(workspace.metadata.uid, until)
            return _recorded(facts, workspace, verdict, terms, now=now)
        case Unsure(until=until, because=because):
            facts.life.put(workspace.metadata.uid, until)
            status = told.unsure(workspace, because=because, now=now) if because is not None else workspace.status
            return ReportWorkspace(workspace=workspace, status=status) if status != workspace.status else None
        case Warn(stop_at=stop_at, reason=reason, since=since):
            facts.life.put(workspace.metadata.uid, stop_at)
            status = told.warned(workspace, stop_at=stop_at, reason=reason, since=since, now=now)
            return ReportWorkspace(workspace=workspace, status=status)
        case Due(reason=why):
            name = machine.metadata.name
            if name in facts.members or name in facts.busy or not _all_due(facts, machine, now=now):
                facts.life.put(workspace.metadata.uid, now + _SOON)
                return None
            backup = backup_of(facts.pool)
            is_final = not instance.spot and (backup is None or backup.method != "S3Archive")
            return StopMachine(machine=machine, reason=why, final=is_final)


def _run_on(facts: PoolFacts, workspace: Workspace, *, now: datetime) -> ReportWorkspace | None:
    """Tell, of a machine that should rest and cannot, what to do about it."""
    if facts.pool is None:
        return None
    terms, verdict = terms_of(workspace, facts.pool), verdict_on(facts, workspace, now=now)
    if isinstance(verdict, Active):
        facts.life.put(workspace.metadata.uid, verdict.until)
        if told.is_unstoppable(workspace):
            status = told.active(workspace, seen=None, stop_at=verdict.stop_at, terms=terms, now=now)
            return ReportWorkspace(workspace=workspace, status=status)
        return _recorded(facts, workspace, verdict, terms, now=now)
    facts.life.put(workspace.metadata.uid, now + _LATER)
    status = told.unstoppable(workspace, pool=facts.name, now=now)
    return ReportWorkspace(workspace=workspace, status=status) if status != workspace.status else None


def _can_rest(facts: PoolFacts, instance: Instance) -> bool:
    """Tell whether a machine can rest without loss: EC2 stops no spot machine, so one that rests ends, and is saved."""
    return not instance.spot or backup_of(facts.pool) is not None


def _all_due(facts: PoolFacts, machine: Machine, *, now: datetime) -> bool:
    """Tell whether every workspace on the machine is to be stopped; one that is not known, or not seated, is not."""
    for claim in machine.spec.claims:
        workspace = facts.workspaces.get(claim.workspace.uid)
        if workspace is None or workspace.status.machine != machine.metadata.name:
            return False
        if not isinstance(verdict_on(facts, workspace, now=now), Due):
            return False
    return True


def _recorded(
    facts: PoolFacts, workspace: Workspace, verdict: Active, terms: Terms, *, now: datetime
) -> ReportWorkspace | None:
    """Tell of activity that a machine's program saw, if it moved far enough, and take back what it has averted."""
    status = workspace.status
    ahead, stop_at = status.next, verdict.stop_at
    if ahead is not None and ahead.warned_at is not None and ahead.at == stop_at:
        return None  # the warning stands: what was seen before it is no news
    evidence = facts.life.evidence.get(status.machine or "")
    seen = None
    if evidence is not None and evidence.last_input is not None and terms.idle_timeout is not None:
        known = status.last_activity_time or status.ready_at or status.claimed_at
        if known is None or evidence.last_input - known >= max(terms.idle_timeout / _RECORDED, ROUGHLY):
            seen = (min(evidence.last_input, now), evidence.source or "Probe")
    is_averted = ahead is not None and ahead.warned_at is not None and stop_at is not None and stop_at > ahead.at
    is_outdated = (ahead is None) is not (stop_at is None) or (
        ahead is not None and stop_at is not None and ahead.at < now < stop_at
    )
    if seen is None and not is_averted and not (is_outdated and stop_at is not None):
        return None
    after = told.active(workspace, seen=seen, stop_at=stop_at, terms=terms, now=now)
    return ReportWorkspace(workspace=workspace, status=after) if after != status else None


# -- resting ------------------------------------------------------------------------------------------------------


def _at_rest(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> LifeAction | None:
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
    is_stuck = instance.spot and not stop.final and not _is_kept(facts, workspace, machine, instance)
    if is_stuck or (wants_machine(workspace) and not _is_given_up(facts, machine)):
        name = machine.metadata.name
        may_wake = (is_stopped or not stop.final) and name not in facts.busy and name not in facts.accountable
        return WakeMachine(machine=machine) if may_wake else None
    if is_stopped or (instance.spot and not stop.final):
        return _retire(facts, workspace, machine, instance, now=now)
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
    proof = _proof(workspace, machine, instance)
    if proof is not None:
        if workspace.status.backup is not None and workspace.status.backup.id == proof.id:
            return None
        status = told.saved(workspace, proof, record=record_of(proof), now=now)
        return ReportWorkspace(workspace=workspace, status=status)
    trouble = facts.life.troubles.get((machine.metadata.name, workspace.status.slot or 0))
    if trouble is None or backup_of(facts.pool) is None:
        return None
    status = told.unsaved(workspace, because=trouble, now=now)
    return ReportWorkspace(workspace=workspace, status=status) if status != workspace.status else None


def _retire(
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


def _may_go(facts: PoolFacts, user: Workspace, machine: Machine, instance: Instance, *, now: datetime) -> bool:
    if user.status.machine != machine.metadata.name:
        return False
    if user.status.phase == "Archiving":
        return True
    due = _goes_at(facts, user, machine, instance, now=now)
    if due is None or now < due or (wants_machine(user) and not _is_given_up(facts, machine)):
        return False
    return backup_of(facts.pool) is None or _proof(user, machine, instance) is not None


def _goes_at(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> datetime | None:
    """Return until when a workspace's machine at rest is kept; None for ever."""
    stop = machine.spec.stop
    if facts.pool is None or stop is None:
        return None
    if (instance.spot or stop.reason in _GIVEN_UP) and _is_kept(facts, workspace, machine, instance):
        return now
    retention = terms_of(workspace, facts.pool).retention
    return None if retention is None else (workspace.status.stopped_at or now) + retention


def _is_kept(facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance) -> bool:
    """Tell whether the files outlive the machine, or will: else it does not go before its time."""
    return backup_of(facts.pool) is not None or _proof(workspace, machine, instance) is not None


def _is_given_up(facts: PoolFacts, machine: Machine) -> bool:
    stop = machine.spec.stop
    return stop is not None and stop.reason in _GIVEN_UP and backup_of(facts.pool) is not None


def _proof(workspace: Workspace, machine: Machine, instance: Instance) -> Saved | None:
    stop = machine.spec.stop
    mine = next((claim for claim in machine.spec.claims if claim.workspace.uid == workspace.metadata.uid), None)
    return proof_of(machine, instance, resting(mine, stop)) if mine is not None and stop is not None else None


def _archive(facts: PoolFacts, machine: Machine) -> ArchiveMachine | None:
    """Give the machine back once all its workspaces are archiving; none of them can turn back any more."""
    for claim in machine.spec.claims:
        workspace = facts.workspaces.get(claim.workspace.uid)
        if workspace is None or workspace.status.phase != "Archiving":
            return None
    return ArchiveMachine(machine=machine) if machine.metadata.name not in facts.busy else None


# -- restoring ----------------------------------------------------------------------------------------------------


def _restore(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> Restore | FindFiles | ReportWorkspace | None:
    record, claimed_at = workspace.status.backup, workspace.status.claimed_at
    if facts.pool is None or claimed_at is None:
        return None
    if record is None:
        return FindFiles(workspace=workspace)
    backup = made_with(record, facts.pool.spec.backup)
    if backup is None:
        because = (
            f"MachinePool {facts.name} has no spec.backup.s3 that says where they are: set it, and they are brought."
        )
        status = told.not_restored(workspace, because=because, now=now)
        return ReportWorkspace(workspace=workspace, status=status) if status != workspace.status else None
    job = RestoreJob(
        instance=machine.metadata.name,
        zone=instance.zone,
        slot=workspace.status.slot or 0,
        workspace=next(c.workspace for c in machine.spec.claims if c.workspace.uid == workspace.metadata.uid),
        owner=workspace.spec.owner,
        claimed_at=claimed_at,
        pool=facts.name,
        backup=backup,
        kept_id=record.id,
        is_shared=machine.spec.slots > 1,
    )
    return Restore(workspace=workspace, job=job)
