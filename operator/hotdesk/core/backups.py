"""Backups and restores as jobs: what is asked of the vault, and where it stands."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from hotdesk.api.v1alpha1 import Backup, BackupMethod, ClaimedBy


class Stage(Enum):
    """Where a job stands."""

    RUNNING = auto()
    HINDERED = auto()  # it goes on by itself, but not before something is mended that the message names
    DONE = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Kept:
    """A verified backup."""

    id: str  # the snapshot's id, or the archive's key
    method: BackupMethod
    namespace: str
    workspace: str
    uid: str
    owner: str
    began_at: datetime
    completed_at: datetime
    size: int = 0  # bytes


@dataclass(frozen=True, slots=True)
class BackupJob:
    """Save the files of one slot of one machine.

    It is the same job as long as instance, start, slot, workspace and `not_before` are the same: what was begun
    before `not_before`, or on an earlier start of the instance, does not count.
    On a shared machine only its folder in each of the paths is the workspace's (`core.encoding.workspace_folder`).
    """

    instance: str
    zone: str
    launched_at: datetime  # the start of the instance that this is about
    slot: int
    workspace: ClaimedBy
    owner: str
    pool: str
    backup: Backup
    not_before: datetime  # when access was closed
    is_running: (
        bool  # an archive is made on a running machine, a snapshot of a stopped one, or of a running spot machine
    )
    is_shared: bool = False  # the machine has several slots


@dataclass(frozen=True, slots=True)
class BackupProgress:
    """Where a backup stands; `kept` is its proof once it is done."""

    stage: Stage
    message: str = ""
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """Bring files back to one slot of one machine.

    It is the same job as long as instance, slot, workspace, `claimed_at` and `kept_id` are the same. To a shared
    machine only what the backup holds of its workspace, else of its owner, is brought back, into this one's folder.
    """

    instance: str
    zone: str
    slot: int
    workspace: ClaimedBy
    claimed_at: datetime
    pool: str
    backup: Backup
    kept_id: str
    owner: str
    is_shared: bool = False  # the machine has several slots


@dataclass(frozen=True, slots=True)
class RestoreProgress:
    """Where a restore stands."""

    stage: Stage
    message: str = ""
