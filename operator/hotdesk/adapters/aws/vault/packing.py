"""Archives made on the running machine and sent to S3 from there."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hotdesk.adapters.aws.calls import Calls
from hotdesk.adapters.aws.vault import manifests, scripts
from hotdesk.adapters.aws.vault.bucket import Bucket, Head
from hotdesk.adapters.aws.vault.errands import Errand, Errands, Run
from hotdesk.adapters.aws.vault.folders import folders_of
from hotdesk.adapters.aws.vault.jobs import backup_name
from hotdesk.adapters.aws.vault.machines import Machines, refusal
from hotdesk.adapters.aws.vault.manifests import Manifest
from hotdesk.adapters.aws.vault.shelf import Shelf, is_same, read_manifest
from hotdesk.core.backups import BackupJob, BackupProgress, RestoreProgress, Stage
from hotdesk.core.facts import InstanceState
from hotdesk.ports import Conflict

PART_SIZE: Final = 4096 * scripts.MEBIBYTE
"""The largest archive that is sent in one piece, in bytes, and the size of parts; S3 takes up to 5 GiB at once."""
MOST_PARTS: Final = 20
"""Each part's URL, of up to 2 kB, rides in one SSM command, which AWS bounds at 64 kB."""
_PACK: Final = "pack"
_UPLOAD: Final = "upload"
_PACK_WITHIN: Final = timedelta(hours=4)
_UPLOAD_WITHIN: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class _Making:
    """One backup under way."""

    job: BackupJob
    name: str
    shelf: Shelf
    runs: Sequence[Run]

    @property
    def bucket(self) -> Bucket:
        return self.shelf.bucket

    def key(self, packed: scripts.Packed) -> str:
        """Return the archive's key."""
        return self.shelf.archive_key(self.name, packed)


class Packing:
    """Backups by the method S3Archive."""

    def __init__(self, calls: Calls, *, part_size: int = PART_SIZE) -> None:
        self._calls = calls
        self._machines = Machines(calls)
        self._errands = Errands(calls)
        self._part_size = part_size

    async def back_up(self, job: BackupJob) -> BackupProgress:
        """Pack on the machine, then have it sent, then look at what S3 got, then write the manifest."""
        name, who = backup_name(job), job.workspace
        shelf = Shelf(self._calls, backup=job.backup, namespace=who.namespace, uid=who.uid)
        manifest = await read_manifest(shelf.bucket, shelf.manifest_key(name))
        if manifest is not None:
            return await _proven(shelf.bucket, shelf.manifest_key(name), manifest)
        machine = await self._machines.find(job.instance)
        refused = refusal(machine, name=job.instance, launched_at=job.launched_at, state=InstanceState.RUNNING)
        if machine is None or refused is not None:
            return BackupProgress(Stage.FAILED, refused or "")
        runs = await self._errands.runs(machine=machine, job=name, steps=(_PACK, _UPLOAD), since=job.not_before)
        return await self._advance(_Making(job, name, shelf, runs))

    async def _advance(self, making: _Making) -> BackupProgress:
        last = making.runs[-1] if making.runs else None
        if last is None:
            return await self._pack(making, number=1)
        if not last.is_done and not last.has_failed:
            return _as_backup(await self._errands.wait(last, machine=making.job.instance))
        said, again = await self._errands.said(last, machine=making.job.instance), last.errand.number + 1
        if last.has_failed:
            return await self._pack(making, number=again, after=said.reason)
        try:
            packed = scripts.packed(said.output, folders=len(folders_of(making.job)))
        except ValueError as error:
            return await self._pack(making, number=again, after=str(error))
        head = await making.bucket.head(making.key(packed))
        if head is not None and is_same(head, packed):
            return await self._finish(making, packed, head)
        if head is not None:  # nobody proved it, and it would be in the way
            await making.bucket.delete(making.key(packed))
        progress = await self._send(making, packed, last.errand)
        return progress or await self._pack(making, number=again, after="S3 does not have what the machine has sent")

    async def _pack(self, making: _Making, *, number: int, after: str = "") -> BackupProgress:
        script = scripts.pack(job=making.name, folders=folders_of(making.job), part_size=self._part_size)
        errand = Errand(job=making.name, step=_PACK, number=number)
        return _as_backup(
            await self._errands.begin(
                errand, machine=making.job.instance, script=script, limit=_PACK_WITHIN, after=after
            )
        )

    async def _send(self, making: _Making, packed: scripts.Packed, last: Errand) -> BackupProgress | None:
        """Have the machine send the archive; None if it has done so already, in vain."""
        if len(packed.parts) > 1:
            return await self._send_parts(making, packed, last)
        if last.step != _PACK:
            return None
        put = await making.bucket.url_to_put(making.key(packed), sha256=packed.sha256)
        return await self._upload(making, scripts.upload(job=making.name, put=put), number=last.number)

    async def _send_parts(self, making: _Making, packed: scripts.Packed, last: Errand) -> BackupProgress | None:
        if len(packed.parts) > MOST_PARTS:
            return BackupProgress(Stage.FAILED, _too_large(packed.size, most=MOST_PARTS * self._part_size))
        bucket, key = making.bucket, making.key(packed)
        upload = next(iter(await bucket.uploads(key)), None)
        if upload is None:
            await bucket.begin_upload(key)
            return BackupProgress(Stage.RUNNING, f"an upload in {len(packed.parts)} parts has begun")
        etags = await bucket.parts(upload)
        missing = [number for number in range(len(packed.parts)) if number not in etags]
        if not missing:
            with suppress(Conflict):  # it was finished already, and the answer was lost
                await bucket.finish_upload(upload, etags=etags, sums=packed.parts)
            return BackupProgress(Stage.RUNNING, f"S3 puts {len(packed.parts)} parts together")
        if last.step != _PACK:
            return None
        puts = {
            number: await bucket.url_to_put_part(key, upload=upload.id, number=number, sha256=packed.parts[number])
            for number in missing
        }
        script = scripts.upload_parts(job=making.name, puts=puts, part_size=self._part_size)
        return await self._upload(making, script, number=last.number)

    async def _upload(self, making: _Making, script: str, *, number: int) -> BackupProgress:
        errand, machine = Errand(job=making.name, step=_UPLOAD, number=number), making.job.instance
        return _as_backup(await self._errands.begin(errand, machine=machine, script=script, limit=_UPLOAD_WITHIN))

    async def _finish(self, making: _Making, packed: scripts.Packed, head: Head) -> BackupProgress:
        """Write the manifest, and prove it as anybody would who finds it later."""
        bucket, key = making.bucket, making.shelf.manifest_key(making.name)
        manifest = Manifest(
            archive=making.key(packed),
            namespace=making.job.workspace.namespace,
            workspace=making.job.workspace.name,
            uid=making.job.workspace.uid,
            owner=making.job.owner,
            pool=making.job.pool,
            instance=making.job.instance,
            slot=making.job.slot,
            launched_at=making.job.launched_at,
            not_before=making.job.not_before,
            began_at=min(run.asked_at for run in making.runs),
            completed_at=head.stored_at,
            size=packed.size,
            sha256=packed.sha256,
            parts=packed.parts,
            paths=tuple(f"/{folder}" for n, folder in enumerate(folders_of(making.job)) if n in packed.there),
            has_changed=packed.has_changed,
        )
        with suppress(Conflict):  # somebody else has written it: theirs is read now
            await bucket.write_once(key, manifests.write(manifest))
        found = await read_manifest(bucket, key)
        if found is None:
            return BackupProgress(Stage.FAILED, "the manifest has gone from S3")
        return await _proven(bucket, key, found)


async def _proven(bucket: Bucket, key: str, manifest: Manifest) -> BackupProgress:
    """Look whether S3 still has what the manifest says; a manifest that says what is not so is deleted."""
    head = await bucket.head(manifest.archive)
    if head is not None and is_same(head, manifest):
        return BackupProgress(Stage.DONE, kept=manifests.kept(manifest))
    if head is not None and head.size == manifest.size and not head.sha256:  # it was copied, and may well be whole
        return BackupProgress(Stage.FAILED, f"S3 shows no checksum of {manifest.archive}, so it proves nothing")
    await bucket.delete(key)
    return BackupProgress(Stage.FAILED, f"S3 does not have {manifest.archive} as its manifest says; it is made anew")


def _too_large(size: int, *, most: int) -> str:
    return (
        f"the archive has {size:,} bytes, and at most {most:,} can be sent: name fewer directories in the pool's "
        "spec.backup.paths, or use the method EBSSnapshot"
    )


def _as_backup(progress: RestoreProgress) -> BackupProgress:
    return BackupProgress(progress.stage, progress.message)
