"""MachinePool: the platform team's wish for warm machines, and how the pool is doing."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hotdesk.api.conditions import Conditions
from hotdesk.api.schema import immutable, marks, rule
from hotdesk.api.v1alpha1.kinds import SHORT_NAME, Port, Resource
from hotdesk.api.v1alpha1.lifecycle import Activity, Backup, Lifecycle, Notifications
from hotdesk.api.v1alpha1.schedule import Schedule
from hotdesk.api.v1alpha1.selector import LabelSelector
from hotdesk.api.wire import ApiModel, Duration, MicroTime, PositiveDuration

_PLACEHOLDERS = ("privateIP", "publicIP", "owner", "project", "namespace", "name", "machine", "slot")


class Aws(ApiModel):
    """The Auto Scaling group that launches the machines."""

    region: Annotated[
        str,
        Field(
            max_length=32,
            json_schema_extra=marks(
                rule("self.matches('^[a-z]{2,4}(-[a-z]+)+-[0-9]+$')", "region must be an AWS region like eu-central-1"),
                immutable("region"),
            ),
        ),
    ]
    """The AWS region of the group, like eu-central-1. Immutable."""
    auto_scaling_group_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            json_schema_extra=marks(
                rule(
                    "self.matches('^[!-9;-~]+$')",
                    "autoScalingGroupName must be the name, not the ARN, of a group: it has no spaces and no ':'",
                ),
                immutable("autoScalingGroupName"),
            ),
        ),
    ]
    """The name of the group. One group serves one pool. Immutable."""
    role_arn: Annotated[
        str | None,
        Field(
            alias="roleARN",
            max_length=2048,
            json_schema_extra=marks(
                rule(
                    "self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$')",
                    "roleARN must be the ARN of an IAM role like arn:aws:iam::123456789012:role/hotdesk",
                ),
            ),
        ),
    ] = None
    """The IAM role to assume for this pool's calls. Without it: the operator's own credentials."""
    endpoint_url: Annotated[
        str | None,
        Field(
            alias="endpointURL",
            max_length=2048,
            json_schema_extra=marks(
                rule("isURL(self) && self.matches('^https?://')", "endpointURL must start with http:// or https://"),
            ),
        ),
    ] = None
    """Where the AWS API answers, for VPC endpoints and test stacks. Without it: AWS's own endpoint of the region."""
    manage_group: bool = True
    """True: the operator puts the group's settings right itself, MaxSize included. False: it only reports what is
    wrong, in the condition GroupConfigured."""

    interruption_queue: Annotated[
        str | None,
        Field(
            max_length=1024,
            json_schema_extra=marks(
                rule("isURL(self) && self.matches('^https?://')", "interruptionQueue must be the URL of an SQS queue"),
            ),
        ),
    ] = None
    """The URL of the SQS queue that EventBridge writes spot warnings and state changes to. Without it: Hotdesk learns
    of them when it next looks."""
    leaks: Literal["Report", "Terminate"] = "Report"
    """What happens to instances that carry the pool's tag and belong to nobody: they are reported, or terminated.
    One whose tags name a living Workspace is adopted either way. With Terminate, volumes and failed snapshots that a
    restore or a backup left behind are deleted, too."""


class Buffer(ApiModel):
    """How many idle slots the pool keeps ready beyond what waits."""

    idle: Annotated[int, Field(ge=0, le=10000, json_schema_extra=marks(stored_default=2))] = 2
    """Idle slots to keep ready. This is what kubectl scale and a HorizontalPodAutoscaler change."""
    percent: Annotated[int | None, Field(ge=0, le=1000)] = None
    """Keep at least this share of the claimed slots idle, in percent; the larger of this and idle counts."""
    schedules: Annotated[tuple[Schedule, ...], Field(max_length=32, json_schema_extra=marks(map_keys=["name"]))] = ()
    """Times at which more idle slots are kept; two that overlap are reported in the condition Ready."""
    scale_down_delay: Duration = timedelta(minutes=5)
    """The buffer grows at once, but shrinks only after this long without a rise."""


class TcpSocket(ApiModel):
    """A machine is ready when this port accepts a connection."""

    port: Port
    """The port on the machine's private address."""


class HttpGet(ApiModel):
    """A machine is ready when this URL answers with a status from 200 to 399."""

    port: Port
    """The port on the machine's private address."""
    path: Annotated[
        str,
        Field(
            max_length=1024,
            json_schema_extra=marks(
                rule("self.matches('^/[!-~]*$')", "path must start with '/' and hold no spaces: encode them as %20")
            ),
        ),
    ] = "/"
    """The path to ask for."""


class Readiness(ApiModel):
    """When a machine counts as idle and may be handed out."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule("has(self.tcpSocket) != has(self.httpGet)", "readiness needs exactly one of tcpSocket and httpGet"),
        ),
    )

    tcp_socket: TcpSocket | None = None
    """Ready when a port accepts a connection. Give this or httpGet."""
    http_get: HttpGet | None = None
    """Ready when a URL answers. Give this or tcpSocket."""
    deadline: PositiveDuration = timedelta(minutes=10)
    """A machine that is not ready this long after its launch is quarantined and replaced."""


class Access(ApiModel):
    """How users reach their workspace."""

    url_template: Annotated[
        str,
        Field(
            max_length=2048,
            json_schema_extra=marks(
                rule("self.matches('^https?://')", "urlTemplate must start with http:// or https://"),
                rule("!self.matches('[\\\\s\\\\p{Cc}]')", "urlTemplate must not hold spaces or control characters"),
                rule(
                    "self.matches('^([^{}]|[{](" + "|".join(_PLACEHOLDERS) + ")[}])*$')",
                    "urlTemplate may use braces only for these placeholders: "
                    + ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS),
                ),
            ),
        ),
    ]
    """The URL of a workspace, with the placeholders {privateIP}, {publicIP}, {owner}, {project}, {namespace}, {name},
    {machine} and {slot}. What is filled in is percent-encoded."""


class AllowedNamespaces(ApiModel):
    """Which namespaces' workspaces may use the pool."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule(
                "has(self.selector) == (has(self.from) && self.from == 'Selector')",
                "selector must be given when from is Selector, and left out otherwise",
            ),
        ),
    )

    from_: Annotated[Literal["All", "Selector"], Field(alias="from")] = "All"
    """All namespaces, or those that the selector chooses."""
    selector: LabelSelector | None = None
    """The labels of the namespaces that may use the pool; needs from to be Selector."""


class Quota(ApiModel):
    """How much of the pool one owner may have."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule(
                "has(self.maxWorkspacesPerOwner) || has(self.maxRunningPerOwner) || has(self.maxMinutesPerOwnerPerDay)",
                "quota needs maxWorkspacesPerOwner, maxRunningPerOwner or maxMinutesPerOwnerPerDay: "
                "leave quota out to limit nobody",
            ),
        ),
    )

    max_workspaces_per_owner: Annotated[int | None, Field(ge=1, le=100000)] = None
    """Workspaces that one owner may have in this pool, stopped ones included; those beyond it, the youngest, are held
    back."""
    max_running_per_owner: Annotated[int | None, Field(ge=1, le=100000)] = None
    """Workspaces of one owner that may run, or be about to, at one time; stopped ones do not count."""
    max_minutes_per_owner_per_day: Annotated[int | None, Field(ge=1, le=1000000)] = None
    """Minutes for which machines may run for one owner in a day (UTC), added up over all of the owner's workspaces.
    Who has used them up is served again at midnight; what runs is stopped if the pool has a lifecycle."""


class MachinePoolSpec(ApiModel):
    """What the platform team wants."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule(
                "!has(self.lifecycle) || !has(self.lifecycle.retention) || self.lifecycle.retention == 'Never'"
                " || has(self.backup)",
                "lifecycle.retention ends machines: set backup, or backup.method None to say that files may be lost",
            ),
            rule(
                "!has(self.backup) || self.backup.method != 'EBSSnapshot' || !has(self.slotsPerMachine)"
                " || self.slotsPerMachine == 1",
                "backup.method EBSSnapshot keeps a whole disk, and a shared one belongs to nobody: with "
                "slotsPerMachine above 1 use S3Archive",
            ),
            rule(
                "!has(self.backup) || self.backup.method != 'S3Archive' || !has(self.slotsPerMachine)"
                " || self.slotsPerMachine == 1 || !has(self.access)"
                " || self.access.urlTemplate.contains('{owner}/{namespace}/{name}')",
                "on a shared machine a workspace's files are kept apart in the folder {owner}/{namespace}/{name} of "
                "each of backup.paths: lead there with access.urlTemplate, as ?folder=/home/{owner}/{namespace}/{name}",
            ),
        ),
    )

    aws: Aws
    """The Auto Scaling group that launches the machines."""
    max_machines: Annotated[int, Field(ge=0, le=100000)]
    """The hard ceiling on live machines, claimed ones included. 0 empties the pool as its workspaces go."""
    slots_per_machine: Annotated[int, Field(ge=1, le=100)] = 1
    """How many workspaces share one machine. A change holds for machines launched after it."""
    buffer: Annotated[Buffer, Field(json_schema_extra=marks(stored_default={}))] = Buffer()
    """How many idle slots the pool keeps ready beyond what waits."""
    readiness: Readiness | None = None
    """When a machine counts as idle. Without it: as soon as EC2 says it is running and the group says InService."""
    access: Access | None = None
    """How users reach their workspace. Without it: status.url stays empty."""
    allowed_namespaces: AllowedNamespaces = AllowedNamespaces()
    """Which namespaces' workspaces may use the pool. Without it: all."""
    activity: Activity | None = None
    """How Hotdesk sees that somebody works, beside heartbeats."""
    lifecycle: Lifecycle | None = None
    """When machines in use are stopped and archived. Without it: never."""
    backup: Backup | None = None
    """How files are kept when a machine goes. Without it: they go with the machine."""
    notifications: Notifications | None = None
    """Who is told, beside the Events."""
    quota: Quota | None = None
    """How much of the pool one owner may have. Without it: as much as there is."""
    paused: bool = False
    """Freeze the pool: no AWS call that changes anything. Shown in the condition Paused."""


class ClaimStats(ApiModel):
    """How well the buffer served since the operator started."""

    total: int = 0
    """Workspaces that were given a machine."""
    hits: int = 0
    """Those of them for which a machine stood ready."""
    hit_rate: Annotated[str | None, Field(max_length=16)] = None
    """Hits of total, like 97.5%."""
    latency_p50: Annotated[str | None, Field(max_length=16)] = None
    """Half were served within this time of their creation being seen, like 12ms."""
    latency_p99: Annotated[str | None, Field(max_length=16)] = None
    """99 of 100 were served within this time."""


class CapacityCall(ApiModel):
    """A call that raises the group's capacity and was not answered yet."""

    sent_at: MicroTime
    """When it was sent."""
    desired: int | None = None
    """The desired capacity it asks for."""
    max_size: int | None = None
    """The MaxSize it asks for."""


class OwnerSeconds(ApiModel):
    """What one owner has used."""

    owner: Annotated[str, Field(max_length=128)]
    """The owner."""
    seconds: Annotated[int, Field(ge=0)]
    """Seconds."""


class Today(ApiModel):
    """What owners have used on one day, in intervals that have ended; kept while the pool has a daily quota."""

    date: Annotated[str, Field(max_length=10)]
    """The day in UTC, like 2026-01-02."""
    owners: Annotated[tuple[OwnerSeconds, ...], Field(max_length=2000)] = ()
    """The owners with most use; beyond 2,000 those with least are left out."""
    counted: Annotated[tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=5000)] = ()
    """The intervals that are counted here and still on a machine's record: none is counted twice."""


class MachinePoolStatus(ApiModel):
    """How the pool is doing."""

    observed_generation: int = -1
    """The generation of the spec that this status is about; -1 until the operator has seen the pool."""
    idle: int = 0
    """Slots that are ready and free now."""
    target: int = 0
    """Idle slots wanted now: the largest of buffer.idle, buffer.percent and the schedule in force."""
    booting: int = 0
    """Slots on machines that are launched but not ready."""
    claimed: int = 0
    """Slots that workspaces hold."""
    waiting: int = 0
    """Workspaces that want a slot and have none."""
    quarantined: int = 0
    """Machines that missed the readiness deadline."""
    desired: int = 0
    """The desired capacity of the group as last set."""
    stopped: int = 0
    """Slots of workspaces whose machine is stopped."""
    machines: int = 0
    """Live machines, inside and outside the group; never above maxMachines."""
    selector: Annotated[str | None, Field(max_length=256)] = None
    """The label selector of the pool's machines, which the scale subresource shows."""
    claims: ClaimStats | None = None
    """How well the buffer served since the operator started."""
    capacity_call: CapacityCall | None = None
    """The one call that raises the group's capacity and has no answer yet; it outlives a restart of the operator."""
    today: Today | None = None
    """What owners have used today, for quota.maxMinutesPerOwnerPerDay."""
    conditions: Conditions = ()
    """Ready, GroupConfigured, CapacityAvailable and Paused."""


class MachinePool(Resource):
    """A MachinePool keeps warm EC2 machines of one Auto Scaling group ready for Workspaces."""

    model_config = ConfigDict(json_schema_extra=marks(SHORT_NAME))

    kind: Literal["MachinePool"] = "MachinePool"
    spec: MachinePoolSpec
    """What the platform team wants."""
    status: Annotated[MachinePoolStatus, Field(json_schema_extra=marks(stored_default={"observedGeneration": -1}))] = (
        MachinePoolStatus()
    )
    """How the pool is doing."""
