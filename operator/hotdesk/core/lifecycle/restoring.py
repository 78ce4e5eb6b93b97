"""Bringing the files of a workspace to the machine that it has now."""

from datetime import datetime

from hotdesk.api.v1alpha1 import Machine, Workspace
from hotdesk.core.actions import FindFiles, ReportWorkspace, Restore
from hotdesk.core.backup_records import made_with
from hotdesk.core.backups import RestoreJob
from hotdesk.core.facts import Instance
from hotdesk.core.lifecycle import told
from hotdesk.core.pool_facts import PoolFacts


def restore(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> Restore | FindFiles | ReportWorkspace | None:
    """Bring the files, once it is known which backup holds them; without one, say why they cannot come."""
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
