"""What AWS remembers about instances and Auto Scaling groups."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hotdesk_local.aws.ebs_model import DiskSpec

GROUP_TAG = "aws:autoscaling:groupName"
KEPT_ACTIVITIES = 10_000

Params = dict[str, Any]
"""A call's parameters or its answer, in boto3's shape."""


class State(StrEnum):
    """An EC2 instance's state."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


STATE_CODES: Mapping[State, int] = {
    State.PENDING: 0,
    State.RUNNING: 16,
    State.SHUTTING_DOWN: 32,
    State.TERMINATED: 48,
    State.STOPPING: 64,
    State.STOPPED: 80,
}
LIVE = frozenset({State.PENDING, State.RUNNING, State.STOPPING, State.STOPPED})
STARTED = frozenset({State.PENDING, State.RUNNING, State.STOPPING})
"""Those that take room at AWS."""
PASSING = frozenset({State.PENDING, State.STOPPING, State.SHUTTING_DOWN})


class Lifecycle(StrEnum):
    """A group member's lifecycle state."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    TERMINATING = "Terminating"
    DETACHING = "Detaching"
    ENTERING_STANDBY = "EnteringStandby"
    STANDBY = "Standby"


COUNTED = frozenset({Lifecycle.PENDING, Lifecycle.IN_SERVICE})
"""What a group holds against its desired capacity."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """One zone's part of the network."""

    id: str
    zone: str
    cidr: str


@dataclass(frozen=True, slots=True)
class Network:
    """The VPC every machine lives in."""

    cidr: str
    vpc: str
    security_group: str
    subnets: tuple[Subnet, ...]


@dataclass(slots=True, eq=False)
class TemplateVersion:
    """One version of a launch template; `data` in boto3's shape."""

    number: int
    created: float
    description: str | None
    data: Params


@dataclass(slots=True, eq=False)
class LaunchTemplate:
    """What a group launches."""

    id: str
    name: str
    created: float
    tags: Mapping[str, str]
    versions: list[TemplateVersion]
    default: int = 1


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """What a launch template, or RunInstances, asks for."""

    image: str
    instance_type: str
    tags: Mapping[str, str] = field(default_factory=dict)
    volume_tags: Mapping[str, str] = field(default_factory=dict)
    disks: tuple[DiskSpec, ...] = (DiskSpec(),)
    """The root first."""
    spot: bool = False
    key_name: str | None = None
    template: Mapping[str, str] | None = None
    """LaunchTemplateId, LaunchTemplateName and Version as members show them."""


@dataclass(slots=True, eq=False)
class Instance:
    """An EC2 instance. `since` is when it entered its present state."""

    id: str
    number: int
    spec: LaunchSpec
    subnet: Subnet
    private_ip: str
    public_ip: str | None
    launched: float
    created: float
    state: State
    since: float
    cause: str
    reservation: str
    tags: dict[str, str]
    origin: str | None = None
    """The group that launched it, kept after it left."""
    member: "Member | None" = None
    reason: tuple[str, str] | None = None
    transition: str = ""
    """StateTransitionReason."""
    protected_from_termination: bool = False
    protected_from_stop: bool = False
    client_token: str | None = None
    rendered: Any = None
    """Its DescribeInstances text until something about it changes."""


@dataclass(slots=True, eq=False)
class Member:
    """An instance's place in a group."""

    instance: Instance
    group: "Group"
    lifecycle: Lifecycle
    since: float
    protected: bool = False
    healthy: bool = True
    activity: "Activity | None" = None
    """What is under way with it."""
    rendered: Any = None


@dataclass(slots=True, eq=False)
class Activity:
    """One line of a group's history."""

    id: str
    group: str
    description: str
    cause: str
    start: float
    details: str
    status: str = "InProgress"
    message: str | None = None
    end: float | None = None


@dataclass(slots=True, eq=False)
class Group:
    """An Auto Scaling group. `settings` holds what AWS keeps and shows unchanged, in boto3's shape."""

    name: str
    arn: str
    created: float
    min_size: int
    max_size: int
    desired: int
    subnets: tuple[Subnet, ...]
    settings: Params
    tags: dict[str, tuple[str, bool]]
    """Key → (value, propagate at launch)."""
    members: dict[str, Member] = field(default_factory=dict)
    suspended: set[str] = field(default_factory=set)
    policies: dict[str, Params] = field(default_factory=dict)
    scheduled: dict[str, Params] = field(default_factory=dict)
    activities: "deque[Activity]" = field(default_factory=lambda: deque(maxlen=KEPT_ACTIVITIES))
    status: str | None = None
    wanted_because: str = "a user request created an AutoScalingGroup"
    """Why the desired capacity is what it is; the text of the next launches."""
    retry_at: float = 0.0
    """No launch before this moment, after one failed."""
    blocked: bool = False
    """All remaining members are protected, and the history says so already."""
    rebalancing: bool = False
    """One more than desired was launched in an emptier zone; someone elsewhere goes when it is in service."""
    unhealthy_since: dict[str, float] = field(default_factory=dict)
    """Members that are not running, and since when."""
    needs_look: bool = True
    """Something changed that may ask for a launch or a termination."""
