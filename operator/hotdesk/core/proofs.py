"""What must be saved of a machine, and whether it was: nothing ends a machine before this says so."""

from datetime import datetime

from hotdesk.api.v1alpha1 import Backup, Claim, Machine, MachinePool, Owed, Saved, Stop, Workspace
from hotdesk.core.facts import Instance, InstanceState

_PROMISED = Backup(method="EBSSnapshot")


def backup_of(pool: MachinePool | None) -> Backup | None:
    """Return how a pool's files are kept; None where they go with the machine."""
    backup = pool.spec.backup if pool is not None else None
    return backup if backup is not None and backup.method != "None" else None


def saving(pool: MachinePool | None, instance: Instance) -> Backup | None:
    """Return how the files of a machine are saved in the state in which it is; None if it must be stopped first.

    A disk at rest is saved by a snapshot, whatever the pool says now: its method may have changed since the stop, and
    a snapshot needs nothing of the machine. What was promised to who left is kept by a pool that says nothing any more.
    """
    backup = backup_of(pool) or _PROMISED
    if instance.state is InstanceState.STOPPED:
        return backup.model_copy(update={"method": "EBSSnapshot", "s3": None})
    is_saved_running = backup.method == "S3Archive" or instance.spot  # which EC2 does not stop
    return backup if instance.state is InstanceState.RUNNING and is_saved_running else None


def is_archived(pool: MachinePool | None) -> bool:
    """Tell whether a pool's files are saved while the machine runs."""
    backup = backup_of(pool)
    return backup is not None and backup.method == "S3Archive"


def unsaved(machine: Machine, instance: Instance, pool: MachinePool | None) -> tuple[Owed, ...]:
    """Return whose files are still to be saved: of the claims where the machine is to rest, and what it owes."""
    wanted = [] if _gives_up_files(pool) else [owed for owed in machine.spec.owed if owed.backup]
    if machine.spec.stop is not None and backup_of(pool) is not None:
        wanted += [_resting(claim, machine.spec.stop) for claim in machine.spec.claims]
    return tuple(owed for owed in wanted if proof_of(machine, instance, owed) is None)


def _gives_up_files(pool: MachinePool | None) -> bool:
    """Tell whether a pool says outright that files may be lost."""
    backup = pool.spec.backup if pool is not None else None
    return backup is not None and backup.method == "None"


def proof_of(machine: Machine, instance: Instance, owed: Owed) -> Saved | None:
    """Return the verified backup that holds everything of one slot: of this start, begun after access was closed."""
    closed, launched_at = closed_at(machine, owed), instance.launched_at
    if launched_at is None:
        return None
    for saved in machine.status.saved:
        is_same = saved.slot == owed.slot and saved.uid == owed.workspace.uid
        is_same_start = saved.launched_at.replace(microsecond=0) == launched_at.replace(microsecond=0)
        if is_same and is_same_start and saved.began_at >= closed:
            return saved
    return None


def proof_for(workspace: Workspace, machine: Machine, instance: Instance) -> Saved | None:
    """Return the verified backup of what a workspace has on its machine, which is to rest."""
    stop = machine.spec.stop
    mine = next((claim for claim in machine.spec.claims if claim.workspace.uid == workspace.metadata.uid), None)
    return proof_of(machine, instance, _resting(mine, stop)) if mine is not None and stop is not None else None


def closed_at(machine: Machine, owed: Owed) -> datetime:
    """Return since when nobody is to write to what is to be saved: the workspace left, or the machine was to rest."""
    stop = machine.spec.stop
    return owed.at if stop is None else min(stop.at, owed.at)


def _resting(claim: Claim, stop: Stop) -> Owed:
    """Return what a machine that is to rest owes a claim that it keeps."""
    return Owed(slot=claim.slot, workspace=claim.workspace, owner=claim.owner, at=stop.at, backup=True)
