"""Saving files and bringing them back: one step of the vault at a time, its proofs written where they are sought."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from hotdesk.actors.rereading import Rereader
from hotdesk.actors.resting import Report
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import (
    Backup,
    BackupRecord,
    Machine,
    MachineStatus,
    RestoreFrom,
    Saved,
    Workspace,
)
from hotdesk.core.actions import BackUp, FindFiles, Restore
from hotdesk.core.backup_records import bucket_of, place_of, record_found
from hotdesk.core.backups import BackupProgress, Kept, RestoreProgress, Stage
from hotdesk.core.life_book import Unsaved
from hotdesk.core.lifecycle import told
from hotdesk.core.notices.texts import message_class
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.ports import Conflict, Denied, NotFound, Refused, Unanswered, Vault

log = logging.getLogger(__name__)

KeepAction = BackUp | Restore | FindFiles
_PATIENCE: Final = 60.0  # seconds; SSM's agent may answer late after a start
_LONG: Final = 45 * 60.0  # seconds; a script may hang, and a large archive takes long
DOUBT = (Conflict, NotFound, Refused, Unanswered)
SLOW: Final = timedelta(minutes=5)
"""A backup that lasts longer is told of, with what it waits for."""


@dataclass(slots=True)
class Keeping:
    """Carries out what was decided about files."""

    facts: PoolFacts
    world: World
    report: Report
    _said: dict[tuple[str, int], tuple[str, float]] = field(default_factory=dict)  # by machine and slot: what, since

    async def carry_out(self, action: KeepAction) -> bool:
        """Advance one job; False says that it goes on, and should not be asked about again at once."""
        match action:
            case BackUp():
                return await self._back_up(action)
            case Restore():
                return await self._restore(action)
            case FindFiles():
                return await self._find(action)

    async def _back_up(self, action: BackUp) -> bool:
        """Advance a backup; a verified one is noted on the machine, and only that ends the job."""
        job, name = action.job, action.machine.metadata.name
        key = (name, job.slot)
        try:
            progress = await self._vault.back_up(job)
        except Denied as denied:
            self._say(action, Unsaved(str(denied), has_failed=True))
            raise
        if self._is_stuck(key, progress) or progress.stage is Stage.FAILED:
            self._say(action, Unsaved(progress.message, has_failed=True))
        elif progress.stage is Stage.RUNNING and self.world.clock.now() - job.not_before > SLOW:
            self._say(action, Unsaved(progress.message, has_failed=False))
        if progress.stage is not Stage.DONE or progress.kept is None:
            return False
        machine = await Rereader(self.facts, self.world.store).machine(name)
        if machine is None:
            return True
        await self._note(machine, _saved(action, progress.kept))
        self.facts.life.troubles.pop(key, None)
        log.info("files saved", extra={"machine": name, "backup": progress.kept.id})
        await self._prune(action, progress.kept)
        return True

    def _say(self, action: BackUp, trouble: Unsaved) -> None:
        """Have the workspace told why its files are not saved, once for each way; numbers are no other way."""
        machine, uid = action.machine.metadata.name, action.job.workspace.uid
        key = (machine, action.job.slot)
        known = self.facts.life.troubles.get(key)
        if known is not None and known.has_failed and not trouble.has_failed:
            return  # why it failed says more than that it is tried again
        if known is None or _class_of(known) != _class_of(trouble):
            log.warning("files are not saved", extra={"machine": machine, "because": trouble.because})
            self.facts.life.troubles[key] = trouble
        self.facts.life.stir(uid)

    async def _restore(self, action: Restore) -> bool:
        """Advance a restore; when it is done the workspace is told that it is ready."""
        workspace, job = action.workspace, action.job
        progress = await self._vault.restore(job)
        machine, pool = self.facts.machines.get(job.instance), self.facts.pool
        if machine is None or pool is None:
            return False
        now = self.world.clock.now()
        if progress.stage is Stage.DONE:
            status = told.restored(workspace, machine=machine, pool=pool, backup_id=job.kept_id, now=now)
        elif self._is_stuck((job.instance, job.slot), progress) or progress.stage is Stage.FAILED:
            status = told.not_restored(workspace, because=progress.message, now=now)
        else:
            return False
        await self.report(workspace, status)
        return progress.stage is Stage.DONE

    async def _find(self, action: FindFiles) -> bool:
        """Look up which backup a new workspace is to begin with, and note it."""
        workspace, source, pool = action.workspace, action.workspace.spec.restore_from, self.facts.pool
        if source is None or pool is None:
            return False
        record, problem = await self._found(workspace, source, pool.spec.backup)
        now = self.world.clock.now()
        if record is None:
            await self.report(workspace, told.not_restored(workspace, because=problem, now=now))
            return False
        await self.report(workspace, workspace.status.model_copy(update={"backup": record}))
        return True

    async def _found(
        self, workspace: Workspace, source: RestoreFrom, backup: Backup | None
    ) -> tuple[BackupRecord | None, str]:
        """Return the backup that `restoreFrom` names, or a sentence why it cannot be used."""
        namespace, owner = workspace.metadata.namespace, workspace.spec.owner
        if source.workspace is not None:
            other = await self.world.store.fetch_workspace(namespace=namespace, name=source.workspace)
            if other is None or other.spec.owner != owner:
                return None, f"workspace {source.workspace} of this namespace and owner does not exist."
            if other.status.backup is None:
                return None, f"workspace {source.workspace} has no backup yet: it gets one when it is next stopped."
            return other.status.backup, ""
        place = place_of(source.backup or "", backup)
        if place is None:
            return None, f"the pool names no bucket in which archive {source.backup} could be: set spec.backup.s3."
        kept = await self._vault.find_by_id(backup=place, id=source.backup or "")
        if kept is None or kept.namespace != namespace or kept.owner != owner:
            return None, f"backup {source.backup} of this namespace and owner does not exist."
        return record_found(kept, place), ""

    def _is_stuck(self, key: tuple[str, int], progress: BackupProgress | RestoreProgress) -> bool:
        """Tell whether a job has been hindered, or has said the same, for so long that a person should know."""
        now = self.world.clock.monotonic()
        said, since = self._said.get(key, ("", now))
        if said != progress.message:
            since = now
        self._said[key] = (progress.message, since)
        if progress.stage in (Stage.DONE, Stage.FAILED):
            del self._said[key]
            return False
        return now - since >= (_PATIENCE if progress.stage is Stage.HINDERED else _LONG)

    @property
    def _vault(self) -> Vault:
        if self.facts.pool is None:
            raise NotFound(f"MachinePool {self.facts.name} does not exist.")
        aws = self.facts.pool.spec.aws
        return self.world.fleets.vault(region=aws.region, endpoint_url=aws.endpoint_url, role_arn=aws.role_arn)

    async def _note(self, machine: Machine, saved: Saved) -> None:
        others = tuple(s for s in machine.status.saved if (s.slot, s.uid) != (saved.slot, saved.uid))
        status: MachineStatus = machine.status.model_copy(update={"saved": (*others, saved)})
        try:
            self.facts.upsert_machine(await self.world.store.patch_machine_status(machine, status))
        except DOUBT as doubt:
            await Rereader(self.facts, self.world.store).machine(machine.metadata.name, because=doubt)

    async def _prune(self, action: BackUp, newest: Kept) -> None:
        """Delete the oldest backups beyond the number to keep; what fails here is done after the next backup."""
        job = action.job
        known = await self._vault.find(
            pool=job.pool, backup=job.backup, namespace=job.workspace.namespace, uid=job.workspace.uid
        )
        keep = {newest.id, *(kept.id for kept in known[: job.backup.keep])}
        if any(kept.id not in keep for kept in known):
            await self._vault.prune(
                pool=job.pool,
                backup=job.backup,
                namespace=job.workspace.namespace,
                uid=job.workspace.uid,
                keep=keep,
            )


def _class_of(trouble: Unsaved) -> tuple[str, bool]:
    return message_class(trouble.because), trouble.has_failed


def _saved(action: BackUp, kept: Kept) -> Saved:
    job = action.job
    return Saved(
        slot=job.slot,
        uid=job.workspace.uid,
        id=kept.id,
        launched_at=job.launched_at,
        # The vault began it when it was asked to, hence after access was closed, whatever its clock and ours say.
        began_at=max(kept.began_at, job.not_before),
        completed_at=kept.completed_at,
        size=kept.size,
        method=job.backup.method,
        bucket=bucket_of(job.backup),
        paths=job.backup.paths,
    )
