"""The files of a workspace: whether they are saved, and whether they are back."""

from datetime import datetime

from hotdesk.api.v1alpha1 import BackupRecord, Machine, MachinePool, Saved, Workspace, WorkspaceStatus
from hotdesk.core.life_book import Unsaved
from hotdesk.core.lifecycle.told.at_work import running
from hotdesk.core.lifecycle.told.changing import changed, with_condition


def saved(workspace: Workspace, proof: Saved, *, record: BackupRecord, now: datetime) -> WorkspaceStatus:
    """Return the status that tells of a verified backup."""
    message = f"Backup {proof.id} holds all files; it was verified at {proof.completed_at:%Y-%m-%d %H:%M:%S} UTC."
    conditions = with_condition(workspace, "BackedUp", ("True", "Verified", message), now=now)
    return workspace.status.model_copy(update={"backup": record, "conditions": conditions})


def unsaved(workspace: Workspace, trouble: Unsaved, *, now: datetime) -> WorkspaceStatus:
    """Return the status that tells why a backup does not come about: the machine is kept, and it is tried again."""
    message = f"The files are not saved yet, and the machine is kept until they are: {trouble.because}"
    reason = "BackupFailed" if trouble.has_failed else "InProgress"
    conditions = with_condition(workspace, "BackedUp", ("False", reason, message), now=now)
    return workspace.status.model_copy(update={"conditions": conditions})


def restored(
    workspace: Workspace, *, machine: Machine, pool: MachinePool, backup_id: str, now: datetime
) -> WorkspaceStatus:
    """Return the status of a workspace whose files are back."""
    status = running(workspace, machine=machine, pool=pool, now=now)
    return status.model_copy(update={"restored": backup_id})


def not_restored(workspace: Workspace, *, because: str, now: datetime) -> WorkspaceStatus:
    """Return the status that tells why files are not back yet."""
    message = f"The files are not back yet: {because}"
    return changed(workspace, "Restoring", ready=("False", "RestoreFailed", message), now=now)
