"""Saving what is to be saved of machines that rest, and of those that shall end; then the latter may."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from hotdesk.api.v1alpha1 import Backup, Claim, Machine, Owed
from hotdesk.core.actions import BackUp, GuardInstance, SettleOwed, StopInstance
from hotdesk.core.backups import BackupJob
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.proofs import backup_of, closed_at, saving, unsaved
from hotdesk.core.standing import Standing

KeepingAction = BackUp | SettleOwed | StopInstance | GuardInstance


def plan_keeping(facts: PoolFacts) -> Iterator[KeepingAction]:
    """Advance every backup that is due, one step; settle what was owed and is saved, or is lost with its machine."""
    for name in tuple(facts.life.moving):
        machine, instance = facts.machines.get(name), facts.instances.get(name)
        if machine is None or name in facts.busy or facts.is_stale(name):
            continue
        is_lost = facts.standings.get(name) in (Standing.LEAVING, Standing.GONE)
        missing = () if instance is None or is_lost else unsaved(machine, instance, facts.pool)
        if machine.spec.owed and (is_lost or (instance is not None and not missing)):
            yield SettleOwed(machine=machine)
        elif missing and facts.pool is not None and instance is not None and name not in facts.members:
            yield from _save(facts, machine, instance, missing)


def owing(facts: PoolFacts, left: Iterable[Claim], *, now: datetime) -> tuple[Owed, ...]:
    """Return what a machine owes the workspaces that leave it: their files are saved before it ends."""
    backup = backup_of(facts.pool)
    if backup is None or backup.on_delete == "Discard":
        return ()
    return tuple(
        Owed(slot=claim.slot, workspace=claim.workspace, owner=claim.owner, at=now, backup=True) for claim in left
    )


def _save(facts: PoolFacts, machine: Machine, instance: Instance, missing: tuple[Owed, ...]) -> Iterator[KeepingAction]:
    backup = saving(facts.pool, instance)
    if backup is not None:
        for owed in missing:
            if _is_open(facts, machine, owed):
                continue  # its user has not been told yet: what is written now would be missing
            yield BackUp(machine=machine, job=_job(facts, machine, instance, owed, backup=backup))
    elif machine.spec.reap is not None:  # one that rests gets there by its own way to the stop
        yield from _stop(machine, instance)


def _stop(machine: Machine, instance: Instance) -> Iterator[KeepingAction]:
    if instance.state is not InstanceState.RUNNING:
        return
    if machine.status.stop_protected:
        yield GuardInstance(machine=machine, protect=False)
    else:
        yield StopInstance(name=machine.metadata.name)


def _job(facts: PoolFacts, machine: Machine, instance: Instance, owed: Owed, *, backup: Backup) -> BackupJob:
    if instance.launched_at is None:
        raise ValueError(f"nothing can be saved of {machine.metadata.name}: its start is not known")
    return BackupJob(
        instance=machine.metadata.name,
        zone=instance.zone,
        launched_at=instance.launched_at,
        slot=owed.slot,
        workspace=owed.workspace,
        owner=owed.owner,
        pool=facts.name,
        backup=backup,
        not_before=closed_at(machine, owed),
        is_running=instance.state is InstanceState.RUNNING,
        is_shared=machine.spec.slots > 1,
    )


def _is_open(facts: PoolFacts, machine: Machine, owed: Owed) -> bool:
    """Tell whether a workspace still shows its user the machine as one to work on."""
    workspace = facts.workspaces.get(owed.workspace.uid)
    if workspace is None or workspace.status.machine != machine.metadata.name:
        return False
    return workspace.status.phase == "Running"
