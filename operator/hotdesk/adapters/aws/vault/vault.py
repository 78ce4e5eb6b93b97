"""One vault for both methods: it hands each question to the one that the pool's backup names."""

from collections.abc import Awaitable, Collection, Sequence
from typing import Final, TypeVar

from hotdesk.adapters.aws.calls import Calls
from hotdesk.adapters.aws.vault import manifests
from hotdesk.adapters.aws.vault.packing import PART_SIZE, Packing
from hotdesk.adapters.aws.vault.shelf import Shelf, bucket_of, find_archive, is_whole
from hotdesk.adapters.aws.vault.snapshots import Snapshots
from hotdesk.adapters.aws.vault.unpacking import Unpacking
from hotdesk.adapters.aws.vault.volumes import Volumes
from hotdesk.api.v1alpha1 import Backup
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, RestoreJob, RestoreProgress, Stage
from hotdesk.ports import Conflict, NotFound, Refused, Unanswered

T = TypeVar("T")
_NOTHING_KEPT: Final = "the pool's spec.backup.method is None: nothing is kept"


class AwsVault:
    """Backups in one region with one set of credentials; see `hotdesk.ports.Vault` for the contract."""

    def __init__(self, calls: Calls, *, part_size: int = PART_SIZE) -> None:
        """`part_size` is the largest archive that is sent in one piece, and then the size of its parts, in bytes."""
        self._calls = calls
        self._packing = Packing(calls, part_size=part_size)
        self._unpacking = Unpacking(calls)
        self._snapshots = Snapshots(calls)
        self._volumes = Volumes(calls)

    async def back_up(self, job: BackupJob) -> BackupProgress:
        """Advance one backup by one step."""
        match job.backup.method:
            case "S3Archive":
                step = self._packing.back_up(job)
            case "EBSSnapshot":
                step = self._snapshots.back_up(job)
            case "None":
                return BackupProgress(Stage.FAILED, _NOTHING_KEPT)
        refused, progress = await _unless_refused(step)
        return progress or BackupProgress(Stage.FAILED, refused)

    async def restore(self, job: RestoreJob) -> RestoreProgress:
        """Advance one restore by one step."""
        match job.backup.method:
            case "S3Archive":
                step = self._unpacking.restore(job)
            case "EBSSnapshot":
                step = self._volumes.restore(job)
            case "None":
                return RestoreProgress(Stage.FAILED, _NOTHING_KEPT)
        refused, progress = await _unless_refused(step)
        return progress or RestoreProgress(Stage.FAILED, refused)

    async def find(self, *, pool: str, backup: Backup, namespace: str, uid: str) -> Sequence[Kept]:
        """Return the verified backups of one workspace, the newest first; its UID is found in every pool."""
        del pool
        match backup.method:
            case "S3Archive":
                return await Shelf(self._calls, backup=backup, namespace=namespace, uid=uid).find()
            case "EBSSnapshot":
                return await self._snapshots.find(namespace=namespace, uid=uid)
            case "None":
                return ()

    async def find_by_id(self, *, backup: Backup, id: str) -> Kept | None:  # noqa: A002  # the port's word
        """Return one verified backup, or None."""
        match backup.method:
            case "S3Archive":
                return await self._archive(backup, id)
            case "EBSSnapshot":
                return await self._snapshots.find_by_id(id)
            case "None":
                return None

    async def prune(self, *, pool: str, backup: Backup, namespace: str, uid: str, keep: Collection[str]) -> None:
        """Delete the workspace's backups except those with these ids."""
        del pool
        match backup.method:
            case "S3Archive":
                await Shelf(self._calls, backup=backup, namespace=namespace, uid=uid).prune(keep)
            case "EBSSnapshot":
                await self._snapshots.prune(namespace=namespace, uid=uid, keep=keep)
            case "None":
                return

    async def _archive(self, backup: Backup, name: str) -> Kept | None:
        manifest = await find_archive(self._calls, backup=backup, id=name)
        if manifest is None or not await is_whole(bucket_of(self._calls, backup), manifest):
            return None
        return manifests.kept(manifest)


async def _unless_refused(step: Awaitable[T]) -> tuple[str, T | None]:
    """Return what a step came to, or why AWS refused it; the next call looks again."""
    try:
        return "", await step
    except (Refused, Conflict, NotFound) as error:
        return str(error), None
    except Unanswered as error:
        if isinstance(error.__cause__, Refused):  # a question that was refused
            return str(error), None
        raise
