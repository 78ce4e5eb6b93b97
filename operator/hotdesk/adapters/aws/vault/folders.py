"""Which folders of a machine's disk are a workspace's."""

from hotdesk.core.backups import BackupJob, RestoreJob
from hotdesk.core.encoding import folder_of


def folders_of(job: BackupJob | RestoreJob) -> tuple[str, ...]:
    """Return them relative to the root: the paths, or on a shared machine the owner's folder in each of them."""
    paths = [path.strip("/") for path in job.backup.paths]
    return tuple(f"{path}/{folder_of(job.owner)}" if job.is_shared else path for path in paths)
