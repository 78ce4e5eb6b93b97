"""Workspace: one person's wish for a machine, and what became of it."""

from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from hotdesk.api.conditions import Conditions
from hotdesk.api.schema import marks, rule
from hotdesk.api.v1alpha1.kinds import PoolName, Resource
from hotdesk.api.wire import ApiModel, Duration, MicroTime

WorkspacePhase = Literal["Pending", "Starting", "Running", "Failed"]

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


class QueuePosition(ApiModel):
    """Where a workspace that has no machine yet stands in its pool's queue."""

    position: Annotated[int, Field(ge=1)]
    """1 is served next."""
    ahead: Annotated[int, Field(ge=0)]
    """How many are served before this one."""
    estimated_wait: Duration | None = None
    """How long it is likely to take, from the boot times the operator has seen; absent while it has seen none."""


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
    conditions: Conditions = ()
    """Ready, and Reconciling or Stalled while it is not."""


class Workspace(Resource):
    """A Workspace asks a MachinePool for a running machine; its status holds the machine's IP and URL."""

    kind: Literal["Workspace"] = "Workspace"
    spec: WorkspaceSpec
    """What the user wants; only people and GitOps write it, never the operator."""
    status: Annotated[
        WorkspaceStatus, Field(json_schema_extra=marks(stored_default={"observedGeneration": -1, "phase": "Pending"}))
    ] = WorkspaceStatus()
    """What the operator made of it."""
