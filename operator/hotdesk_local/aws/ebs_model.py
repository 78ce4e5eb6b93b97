"""What AWS remembers about volumes and snapshots."""

from dataclasses import dataclass, field
from enum import StrEnum

ROOT_DEVICE = "/dev/xvda"


class VolumeState(StrEnum):
    """A volume's state; a deleted one is forgotten at once."""

    CREATING = "creating"
    AVAILABLE = "available"
    IN_USE = "in-use"


class AttachmentState(StrEnum):
    """How far a volume is on its way to or from a machine."""

    ATTACHING = "attaching"
    ATTACHED = "attached"
    DETACHING = "detaching"


class SnapshotState(StrEnum):
    """A snapshot's state; only a completed one holds data that can be relied on."""

    PENDING = "pending"
    COMPLETED = "completed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """One entry of a launch's block device mappings. Sizes are GiB."""

    device: str = ROOT_DEVICE
    size: int = 8
    kind: str = "gp3"
    snapshot: str | None = None
    delete_on_termination: bool = True


@dataclass(slots=True, eq=False)
class Attachment:
    """A volume's place at a machine. `since` is when it entered its present state."""

    instance_id: str
    device: str
    attached: float
    since: float
    state: AttachmentState
    delete_on_termination: bool


@dataclass(slots=True, eq=False)
class Volume:
    """An EBS volume. `number` orders volumes by creation."""

    id: str
    number: int
    size: int
    zone: str
    kind: str
    created: float
    since: float
    state: VolumeState = VolumeState.CREATING
    snapshot: str | None = None
    encrypted: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    attachment: Attachment | None = None
    token: tuple[str, object] | None = None
    """The client token it was made with, and what was asked for."""


@dataclass(slots=True, eq=False)
class Snapshot:
    """An EBS snapshot: the volume's files at the moment of the call."""

    id: str
    number: int
    volume: str
    size: int
    started: float
    description: str
    tags: dict[str, str]
    state: SnapshotState = SnapshotState.PENDING
    doomed: str | None = None
    """Why it will end in `error` although the call went well."""
    message: str | None = None
    completed: float | None = None
