"""One vault for both methods: it hands each question to the one that the pool's backup names."""

from collections.abc import Collection, Sequence

from hotdesk.adapters.aws.calls import Calls
from hotdesk.api.v1alpha1 import Backup
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, RestoreJob, RestoreProgress


class AwsVault:
    """Backups in one region with one set of credentials; see `hotdesk.ports.Vault` for the contract."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def back_up(self, job: BackupJob) -> BackupProgress:
        """Advance one backup."""
        raise NotImplementedError

    async def restore(self, job: RestoreJob) -> RestoreProgress:
        """Advance one restore."""
        raise NotImplementedError

    async def find(self, *, pool: str, backup: Backup, namespace: str, uid: str) -> Sequence[Kept]:
        """Return the verified backups of one workspace, the newest first."""
        raise NotImplementedError

    async def find_by_id(self, *, backup: Backup, id: str) -> Kept | None:  # noqa: A002  # the port's word
        """Return one verified backup, or None."""
        raise NotImplementedError

    async def prune(self, *, pool: str, backup: Backup, namespace: str, uid: str, keep: Collection[str]) -> None:
        """Delete the workspace's backups except those with these ids."""
        raise NotImplementedError
