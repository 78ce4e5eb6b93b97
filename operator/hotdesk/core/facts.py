"""What AWS told us: frozen facts about groups, their members and instances."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class InstanceState(StrEnum):
    """An EC2 instance's state, by EC2's own names."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"

    @property
    def is_live(self) -> bool:
        """Whether it still counts against `maxMachines`."""
        return self not in (InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED)


@dataclass(frozen=True, slots=True)
class Instance:
    """One EC2 instance as DescribeInstances showed it."""

    id: str
    state: InstanceState
    zone: str
    instance_type: str = ""
    private_ip: str | None = None
    public_ip: str | None = None
    spot: bool = False
    launched_at: datetime | None = None
    ended_at: datetime | None = None  # when its stop or termination was asked for; AWS does not always tell
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """One instance as its Auto Scaling group lists it."""

    id: str
    lifecycle: str  # AWS's LifecycleState: Pending, InService, Terminating, Detaching, Standby, …
    zone: str
    healthy: bool = True
    protected: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether AWS counts it towards desired capacity."""
        return self.lifecycle.startswith("Pending") or self.lifecycle == "InService"


@dataclass(frozen=True, slots=True)
class Group:
    """An Auto Scaling group and how it is set up."""

    name: str
    desired: int
    min_size: int
    max_size: int
    members: Mapping[str, Member] = field(default_factory=dict)
    protects_new: bool = False
    suspended: frozenset[str] = frozenset()
    health_check: str = "EC2"  # AWS's HealthCheckType, a comma-separated list
    capacity_rebalance: bool = False
    max_instance_lifetime: int | None = None  # seconds
    tags: Mapping[str, str] = field(default_factory=dict)  # those that propagate at launch
    deleting: bool = False


class FailureCause(StrEnum):
    """Why AWS could not launch, sorted by what a person would have to do."""

    CAPACITY = "InsufficientCapacity"
    QUOTA = "QuotaExceeded"
    CONFIGURATION = "LaunchConfigurationInvalid"
    OTHER = "LaunchFailed"


@dataclass(frozen=True, slots=True)
class LaunchFailure:
    """One failed launch from the group's scaling activities."""

    at: datetime
    cause: FailureCause
    message: str


@dataclass(frozen=True, slots=True)
class Leftover:
    """A volume of the pool that is attached to nothing or was made for a restore, or a snapshot that failed."""

    id: str
    created_at: datetime | None
    restores: str | None = None  # the UID of the workspace whose files it was made to bring back
    is_spare: bool = False  # made by us, attached to nothing, and all that is in it is elsewhere


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at a pool's group and instances.

    Both times were taken before the first call went out. `began` is by the monotonic clock, which nobody sets: whatever
    we did to AWS after it may be missing here.
    `instances` holds those that were `asked` for by id, or, when `complete`, every instance that carries the
    pool's tag or is a member; one that was asked for and is absent was not known to EC2.
    """

    started_at: datetime
    began: float  # seconds
    group: Group | None
    instances: Mapping[str, Instance]
    asked: frozenset[str] = frozenset()
    complete: bool = False
    failures: tuple[LaunchFailure, ...] = ()
    scaling_policies: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()  # as last asked for, which is seldom
