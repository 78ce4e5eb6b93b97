"""Which folders of a machine's disk are a workspace's, and from which of a backup they are filled."""

from dataclasses import dataclass

from hotdesk.core.backups import BackupJob, RestoreJob
from hotdesk.core.encoding import folder_of, workspace_folder


@dataclass(frozen=True, slots=True)
class Place:
    """One folder to be filled, and where in a backup its files may be: the first that is there counts."""

    at: str
    sources: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether the files come back where they were."""
        return self.sources == (self.at,)


def folders_of(job: BackupJob) -> tuple[str, ...]:
    """Return them relative to the root: the paths, or on a shared machine the workspace's folder in each of them."""
    return tuple(_own(path, job) if job.is_shared else path for path in _paths(job))


def places_of(job: RestoreJob, *, namespace: str, workspace: str) -> tuple[Place, ...]:
    """Return where the files of a backup of this workspace of the same owner go.

    To a shared machine those of the workspace's own folder, if the backup has it: else the owner's, from a machine that
    it had alone.
    """
    if not job.is_shared:
        return tuple(Place(path, (path,)) for path in _paths(job))
    theirs = workspace_folder(job.owner, namespace=namespace, name=workspace)
    owners = folder_of(job.owner)
    return tuple(Place(_own(path, job), (f"{path}/{theirs}", f"{path}/{owners}")) for path in _paths(job))


def _own(path: str, job: BackupJob | RestoreJob) -> str:
    who = job.workspace
    return f"{path}/{workspace_folder(job.owner, namespace=who.namespace, name=who.name)}"


def _paths(job: BackupJob | RestoreJob) -> list[str]:
    return [path.strip("/") for path in job.backup.paths]
