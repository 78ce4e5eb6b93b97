"""Backups as archives in S3, made on the running machine."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hotdesk.adapters.aws.calls import Calls
from hotdesk.adapters.aws.vault import manifests, scripts
from hotdesk.adapters.aws.vault.bucket import Bucket, sum_in_s3s_words
from hotdesk.adapters.aws.vault.errands import Errand, Errands, Run
from hotdesk.adapters.aws.vault.folders import folders_of
from hotdesk.adapters.aws.vault.jobs import backup_name, restore_name
from hotdesk.adapters.aws.vault.machines import Machines, refusal
from hotdesk.adapters.aws.vault.manifests import Manifest
from hotdesk.api.v1alpha1 import Backup, S3Place
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, RestoreJob, RestoreProgress, Stage
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.ports import Conflict, Refused

PART_SIZE: Final = 4096 * scripts.MEBIBYTE
"""The largest archive that is sent in one piece, in bytes, and the size of parts; S3 takes up to 5 GiB at once."""
MOST_PARTS: Final = 20
"""Each part's URL, of up to 2 kB, rides in one SSM command, which AWS bounds at 64 kB."""
_PACK: Final = "pack"
_UPLOAD: Final = "upload"
_UNPACK: Final = "unpack"
_PACK_WITHIN: Final = timedelta(hours=4)
_UPLOAD_WITHIN: Final = timedelta(hours=2)
_UNPACK_WITHIN: Final = timedelta(hours=4)
_SHORT: Final = 16  # hexadecimal digits of the archive's SHA-256 in its key


@dataclass(frozen=True, slots=True)
class _Making:
    """One backup under way."""

    job: BackupJob
    name: str
    machine: Instance
    bucket: Bucket
    folder: str  # in S3
    runs: Sequence[Run]

    @property
    def manifest_key(self) -> str:
        return f"{self.folder}{self.name}{manifests.SUFFIX}"

    def archive_key(self, packed: scripts.Packed) -> str:
        """Return a key that is the archive's own: two archives of one job never meet under it."""
        return f"{self.folder}{self.name}.{packed.sha256[:_SHORT]}{manifests.ARCHIVE_SUFFIX}"


class Archives:
    """The method S3Archive."""

    def __init__(self, calls: Calls, *, part_size: int = PART_SIZE) -> None:
        self._calls = calls
        self._machines = Machines(calls)
        self._errands = Errands(calls)
        self._part_size = part_size

    async def back_up(self, job: BackupJob) -> BackupProgress:
        """Pack on the machine, then have it sent, then look at what S3 got, then write the manifest."""
        place, name = _place(job.backup), backup_name(job)
        bucket, folder = Bucket(self._calls, place.bucket), _folder(place, job.workspace.namespace, job.workspace.uid)
        manifest = await self._manifest(bucket, f"{folder}{name}{manifests.SUFFIX}")
        if manifest is not None:
            return await self._proven(bucket, f"{folder}{name}{manifests.SUFFIX}", manifest)
        machine = await self._machines.find(job.instance)
        refused = refusal(machine, name=job.instance, launched_at=job.launched_at, state=InstanceState.RUNNING)
        if machine is None or refused is not None:
            return BackupProgress(Stage.FAILED, refused or "")
        runs = await self._errands.runs(machine=machine, job=name, steps=(_PACK, _UPLOAD), since=job.not_before)
        return await self._advance(_Making(job, name, machine, bucket, folder, runs))

    async def _advance(self, making: _Making) -> BackupProgress:
        last = making.runs[-1] if making.runs else None
        if last is None:
            return await self._pack(making, number=1)
        if not last.is_done and not last.has_failed:
            return _as_backup(await self._errands.wait(last, machine=making.machine.id))
        said, again = await self._errands.said(last, machine=making.machine.id), last.errand.number + 1
        if last.has_failed:
            return await self._pack(making, number=again, after=said.reason)
        try:
            packed = scripts.packed(said.output)
        except ValueError as error:
            return await self._pack(making, number=again, after=str(error))
        if await self._has_arrived(making.bucket, making.archive_key(packed), packed):
            return await self._finish(making, packed)
        progress = await self._send(making, packed, last.errand)
        return progress or await self._pack(making, number=again, after="S3 does not have what the machine has sent")

    async def _pack(self, making: _Making, *, number: int, after: str = "") -> BackupProgress:
        script = scripts.pack(job=making.name, folders=folders_of(making.job), part_size=self._part_size)
        errand = Errand(job=making.name, step=_PACK, number=number)
        return _as_backup(
            await self._errands.begin(errand, machine=making.machine.id, script=script, limit=_PACK_WITHIN, after=after)
        )

    async def _send(self, making: _Making, packed: scripts.Packed, last: Errand) -> BackupProgress | None:
        """Have the machine send the archive; None if it has done so already, in vain."""
        key = making.archive_key(packed)
        if len(packed.parts) > 1:
            return await self._send_parts(making, packed, last)
        if last.step != _PACK:
            return None
        put = await making.bucket.url_to_put(key, sha256=packed.sha256)
        return await self._upload(making, scripts.upload(job=making.name, put=put), number=last.number)

    async def _send_parts(self, making: _Making, packed: scripts.Packed, last: Errand) -> BackupProgress | None:
        if len(packed.parts) > MOST_PARTS:
            return BackupProgress(Stage.FAILED, _too_large(packed.size, most=MOST_PARTS * self._part_size))
        bucket, key = making.bucket, making.archive_key(packed)
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
        errand = Errand(job=making.name, step=_UPLOAD, number=number)
        return _as_backup(
            await self._errands.begin(errand, machine=making.machine.id, script=script, limit=_UPLOAD_WITHIN)
        )

    async def _has_arrived(self, bucket: Bucket, key: str, packed: scripts.Packed | Manifest) -> bool:
        """Whether S3 has these bytes: it compared their checksum itself when they came."""
        head = await bucket.head(key)
        return head is not None and (head.size, head.sha256) == (packed.size, sum_in_s3s_words(packed.parts))

    async def _finish(self, making: _Making, packed: scripts.Packed) -> BackupProgress:
        """Write the manifest, and prove it as anybody would who finds it later."""
        job, head = making.job, await making.bucket.head(making.archive_key(packed))
        if head is None:
            return BackupProgress(Stage.FAILED, "the archive has gone from S3")
        folders = folders_of(job)
        manifest = Manifest(
            archive=making.archive_key(packed),
            namespace=job.workspace.namespace,
            workspace=job.workspace.name,
            uid=job.workspace.uid,
            owner=job.owner,
            pool=job.pool,
            instance=job.instance,
            slot=job.slot,
            launched_at=job.launched_at,
            not_before=job.not_before,
            began_at=min(run.asked_at for run in making.runs),
            completed_at=head.stored_at,
            size=packed.size,
            sha256=packed.sha256,
            parts=packed.parts,
            paths=tuple(f"/{folders[number]}" for number in packed.there),
            has_changed=packed.has_changed,
        )
        with suppress(Conflict):  # somebody else has written it: theirs is read now
            await making.bucket.write_once(making.manifest_key, manifests.write(manifest))
        found = await self._manifest(making.bucket, making.manifest_key)
        if found is None:
            return BackupProgress(Stage.FAILED, "the manifest has gone from S3")
        return await self._proven(making.bucket, making.manifest_key, found)

    async def _proven(self, bucket: Bucket, key: str, manifest: Manifest) -> BackupProgress:
        """Look whether S3 still has what the manifest says; a manifest that says what is not so is deleted."""
        if await self._has_arrived(bucket, manifest.archive, manifest):
            return BackupProgress(Stage.DONE, kept=manifests.kept(manifest))
        await bucket.delete(key)
        return BackupProgress(
            Stage.FAILED, f"S3 does not have {manifest.archive} as its manifest says; it is made anew"
        )

    async def restore(self, job: RestoreJob) -> RestoreProgress:
        """Have the machine fetch the archive, compare its checksum, and unpack it, once."""
        name, machine = restore_name(job), await self._machines.find(job.instance)
        if machine is None:
            return RestoreProgress(Stage.FAILED, f"{job.instance} is gone")
        runs = await self._errands.runs(machine=machine, job=name, steps=(_UNPACK,), since=job.claimed_at)
        last = runs[-1] if runs else None
        if last is not None and last.is_done:
            return RestoreProgress(Stage.DONE)
        if machine.state is not InstanceState.RUNNING:
            return RestoreProgress(Stage.RUNNING, f"{job.instance} is {machine.state}: its files come when it runs")
        if last is not None and not last.has_failed:
            return await self._errands.wait(last, machine=machine.id)
        bucket = Bucket(self._calls, _place(job.backup).bucket)
        manifest = await self._manifest(bucket, _manifest_of(job.kept_id))
        if manifest is None or manifest.archive != job.kept_id:
            return RestoreProgress(Stage.FAILED, f"there is no backup {job.kept_id}")
        script = scripts.unpack(
            job=name, url=await bucket.url_to_get(manifest.archive), sha256=manifest.sha256, folders=folders_of(job)
        )
        after = (await self._errands.said(last, machine=machine.id)).reason if last is not None else ""
        errand = Errand(job=name, step=_UNPACK, number=last.errand.number + 1 if last is not None else 1)
        return await self._errands.begin(errand, machine=machine.id, script=script, limit=_UNPACK_WITHIN, after=after)

    async def find(self, *, backup: Backup, namespace: str, uid: str) -> Sequence[Kept]:
        """Return the archives with a manifest that are as large as it says, the newest first."""
        bucket, folder = Bucket(self._calls, _place(backup).bucket), _folder(_place(backup), namespace, uid)
        sizes = {stored.key: stored.size for stored in await bucket.list(folder)}
        found = [await self._readable(bucket, key) for key in sizes if key.endswith(manifests.SUFFIX)]
        whole = [
            manifest for manifest in found if manifest is not None and sizes.get(manifest.archive) == manifest.size
        ]
        return [manifests.kept(m) for m in sorted(whole, key=lambda m: (m.completed_at, m.archive), reverse=True)]

    async def find_by_id(self, *, backup: Backup, id: str) -> Kept | None:  # noqa: A002  # the port's word
        """Return the archive with this key, if it has a manifest and is what that says."""
        place = _place(backup)
        if not (id.startswith(place.prefix) and id.endswith(manifests.ARCHIVE_SUFFIX)):
            return None
        bucket = Bucket(self._calls, place.bucket)
        manifest = await self._readable(bucket, _manifest_of(id))
        if manifest is None or manifest.archive != id or not await self._has_arrived(bucket, id, manifest):
            return None
        return manifests.kept(manifest)

    async def prune(self, *, backup: Backup, namespace: str, uid: str, keep: Collection[str]) -> None:
        """Delete all archives but these, each after its manifest: what has none is no backup.

        An archive without manifest is deleted where a kept one is younger: it is of a job that was given up. One that
        is younger may be of a job under way.
        """
        bucket, folder = Bucket(self._calls, _place(backup).bucket), _folder(_place(backup), namespace, uid)
        keys = [stored.key for stored in await bucket.list(folder)]
        proofs = {key for key in keys if key.endswith(manifests.SUFFIX)}
        kept = {_manifest_of(name) for name in keep} & proofs
        for proof in sorted(proofs - kept):
            await bucket.delete(proof)
        archives = {key for key in keys if key.endswith(manifests.ARCHIVE_SUFFIX)}
        for key in sorted(archives.difference(keep)):
            if _is_over(key, proofs=proofs, kept=kept):
                await bucket.delete(key)
        for upload in await bucket.uploads(folder):
            if _is_over(upload.key, proofs=proofs, kept=kept):
                await bucket.give_up(upload)

    async def _readable(self, bucket: Bucket, key: str) -> Manifest | None:
        with suppress(Refused):
            return await self._manifest(bucket, key)
        return None

    async def _manifest(self, bucket: Bucket, key: str) -> Manifest | None:
        content = await bucket.read(key)
        try:
            return None if content is None else manifests.read(content)
        except ValueError as error:
            raise Refused(
                f"{key} in S3 is no manifest that Hotdesk wrote ({error}): look at it, and delete it"
            ) from error


def _place(backup: Backup) -> S3Place:
    if backup.s3 is None:
        raise Refused("the pool's spec.backup has no s3: say in which bucket archives are kept")
    return backup.s3


def _folder(place: S3Place, namespace: str, uid: str) -> str:
    return f"{place.prefix}{namespace}/{uid}/"


def _manifest_of(archive: str) -> str:
    """Return the key of an archive's manifest: without the sum and the suffix."""
    return archive.removesuffix(manifests.ARCHIVE_SUFFIX).rpartition(".")[0] + manifests.SUFFIX


def _is_over(archive: str, *, proofs: Collection[str], kept: Collection[str]) -> bool:
    """Whether no job can need the archive any more: its own is proven, or one that was asked for later."""
    return _manifest_of(archive) in proofs or _manifest_of(archive) < max(kept, default="")


def _too_large(size: int, *, most: int) -> str:
    return (
        f"the archive has {size:,} bytes, and at most {most:,} can be sent: name fewer directories in the pool's "
        "spec.backup.paths, or use the method EBSSnapshot"
    )


def _as_backup(progress: RestoreProgress) -> BackupProgress:
    return BackupProgress(progress.stage, progress.message)
