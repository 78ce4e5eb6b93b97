"""Workspace: one person's wish for a machine, and what became of it."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, JsonValue

from hotdesk.api.conditions import Conditions
from hotdesk.api.schema import immutable, marks, rule
from hotdesk.api.v1alpha1.kinds import PoolName, Resource
from hotdesk.api.v1alpha1.lifecycle import BackupMethod
from hotdesk.api.wire import ApiModel, Duration, DurationOrNever, MicroTime

WorkspacePhase = Literal[
    "Pending", "Starting", "Running", "Stopping", "Stopped", "Restoring", "Archiving", "Archived", "Failed"
]
RunStrategy = Literal["OnDemand", "Always", "Halted"]

WAKE_ANNOTATION: Final = "hotdesk.dev/wake-requested-at"
"""A time like 2026-01-02T03:04:05Z: a workspace that was stopped before it is woken."""

URL_LIMIT: Final = 8192  # characters

# Line separators and bidirectional overrides can forge a log line or a table as well as a newline can.
_UNPRINTABLE = r"[\\p{Cc}\\p{Zl}\\p{Zp}\\x{202A}-\\x{202E}\\x{2066}-\\x{2069}]"


def _printable(field: str) -> JsonValue:
    return rule(
        f"!self.matches('{_UNPRINTABLE}')",
        f"{field} must not contain control characters, line breaks or text direction overrides",
    )


def _not_only_dots(field: str) -> JsonValue:
    # Browsers read "..", percent-encoded or not, as a step up in the URL.
    return rule("!self.matches('^[.]+$')", f"{field} must not consist of dots only, because it is part of a URL")


class RestoreFrom(ApiModel):
    """Whose files a new workspace begins with."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule("has(self.workspace) != has(self.backup)", "restoreFrom needs exactly one of workspace and backup"),
        ),
    )

    workspace: Annotated[str | None, Field(min_length=1, max_length=253)] = None
    """A workspace of the same namespace and owner, whose latest backup is used."""
    backup: Annotated[str | None, Field(min_length=1, max_length=1024)] = None
    """A backup's id, as status.backup.id of a workspace of the same namespace and owner showed it."""


class WorkspaceSpec(ApiModel):
    """What the user wants; only people and GitOps write it, never the operator."""

    pool: PoolName
    """The MachinePool that gives the machine. Immutable."""
    owner: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            json_schema_extra=marks(
                _printable("owner"),
                _not_only_dots("owner"),
                rule("self.trim() != ''", "owner must name somebody: it must not be blank"),
            ),
        ),
    ]
    """Who works here. Shown in the URL and on the machine's tags, where it is encoded."""
    project: Annotated[
        str | None, Field(max_length=128, json_schema_extra=marks(_printable("project"), _not_only_dots("project")))
    ] = None
    """What is worked on. Shown in the URL and on the machine's tags, where it is encoded."""
    priority_class_name: Annotated[
        str | None,
        Field(
            max_length=253,
            json_schema_extra=marks(
                rule(
                    "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
                    "priorityClassName must be the name of a PriorityClass: lower case letters, digits, '-' and '.'",
                ),
            ),
        ),
    ] = None
    """The PriorityClass that decides who is served first. Without it: the cluster's default."""
    run_strategy: RunStrategy = "OnDemand"
    """OnDemand: stopped when idle, woken when its user returns. Always: never stopped for idleness, and started when
    it is found stopped. Halted: stopped, and kept so."""
    idle_timeout: DurationOrNever | None = None
    """Stop the machine this long after the last activity. Without it: as the pool's lifecycle says."""
    retention: DurationOrNever | None = None
    """Archive the stopped machine after this long. Without it: as the pool's lifecycle says."""
    restore_from: Annotated[
        RestoreFrom | None,
        Field(json_schema_extra=marks(immutable("restoreFrom"))),
    ] = None
    """Begin with the files of another workspace. Immutable."""


class QueuePosition(ApiModel):
    """Where a workspace that has no machine yet stands in its pool's queue."""

    position: Annotated[int, Field(ge=1)]
    """1 is served next."""
    ahead: Annotated[int, Field(ge=0)]
    """How many are served before this one."""
    estimated_wait: Duration | None = None
    """How long it is likely to take, from the boot times the operator has seen; absent while it has seen none."""


class Next(ApiModel):
    """What will happen to a workspace if nothing else does."""

    action: Literal["Stop", "Archive"]
    """What."""
    at: MicroTime
    """When, at the earliest."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, and how to keep it from happening."""
    warned_at: MicroTime | None = None
    """When the user was warned of it."""
    since: MicroTime | None = None
    """The last activity that the warning was decided from: any later one makes it void."""


class BackupRecord(ApiModel):
    """The latest verified backup."""

    id: Annotated[str, Field(max_length=1024)]
    """The snapshot's id, or the archive's key."""
    method: BackupMethod
    """How it was made."""
    completed_at: MicroTime
    """When it was verified."""
    size: Annotated[int, Field(ge=0)] = 0
    """Bytes."""
    bucket: Annotated[str | None, Field(max_length=63)] = None
    """The bucket of an archive: the pool may name another one by now."""
    paths: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=16)] = ()
    """The directories that held the files, and that come back. Without it: the pool's of now."""


class Usage(ApiModel):
    """How long machines have run for this workspace, in intervals that have ended."""

    running_seconds: Annotated[int, Field(ge=0)] = 0
    """The sum of the intervals."""
    billed_minutes: Annotated[int, Field(ge=0)] = 0
    """The sum of the intervals, each rounded up to whole minutes."""
    last_interval: MicroTime | None = None
    """When the latest interval that is counted here began."""


class WorkspaceStatus(ApiModel):
    """What the operator made of it."""

    # Frozen into new objects, so that kstatus (Flux, Argo CD, kubectl wait) never takes one nobody has looked at
    # for a finished one.
    phase: WorkspacePhase = "Pending"
    """A summary for people. Programs should read the Ready condition."""
    observed_generation: int = -1
    """The generation of the spec that this status is about; -1 until the operator has seen the workspace."""
    machine: Annotated[str | None, Field(max_length=63)] = None
    """The Machine that is claimed: an EC2 instance id."""
    slot: Annotated[int | None, Field(ge=0)] = None
    """The slot on that machine, counted from 0."""
    private_ip: Annotated[str | None, Field(alias="privateIP", max_length=45)] = None
    """The machine's address inside the VPC."""
    public_ip: Annotated[str | None, Field(alias="publicIP", max_length=45)] = None
    """The machine's public address, if it has one."""
    url: Annotated[str | None, Field(max_length=URL_LIMIT)] = None
    """Where to work: the pool's access.urlTemplate, filled in."""
    queue: QueuePosition | None = None
    """The place in the queue; absent once a machine is claimed."""
    claimed_at: MicroTime | None = None
    """When the machine was claimed."""
    ready_at: MicroTime | None = None
    """When the workspace became ready to use."""
    last_activity_time: MicroTime | None = None
    """When somebody was last seen to work here since the machine was claimed; it never moves back."""
    activity_source: Annotated[str | None, Field(max_length=128)] = None
    """Which signal said so: Heartbeat, or Heartbeat/NAME where the sender gave its name."""
    stopped_at: MicroTime | None = None
    """When it was decided to stop the machine; whoever was active after this wakes it."""
    idle_since: MicroTime | None = None
    """The last activity that a stop for idleness was decided from: a later one wakes the machine, also one from before
    stoppedAt, of which was heard too late."""
    next: Next | None = None
    """What will happen, when, and why."""
    backup: BackupRecord | None = None
    """The latest verified backup of the files."""
    restored: Annotated[str | None, Field(max_length=1024)] = None
    """The id of the backup that was last brought back."""
    usage: Usage | None = None
    """How long machines have run for this workspace."""
    conditions: Conditions = ()
    """Ready, and Reconciling or Stalled while it is not; Idle: nobody seems to work here; BackedUp: the files of the
    stopped machine are saved."""


class Workspace(Resource):
    """A Workspace asks a MachinePool for a running machine; its status holds the machine's IP and URL."""

    kind: Literal["Workspace"] = "Workspace"
    spec: WorkspaceSpec
    """What the user wants; only people and GitOps write it, never the operator."""
    status: Annotated[
        WorkspaceStatus, Field(json_schema_extra=marks(stored_default={"observedGeneration": -1, "phase": "Pending"}))
    ] = WorkspaceStatus()
    """What the operator made of it."""
