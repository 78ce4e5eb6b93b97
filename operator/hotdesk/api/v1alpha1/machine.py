"""Machine: the record of one EC2 instance; the compare-and-swap on its claims is what hands it out."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hotdesk.api.conditions import Conditions
from hotdesk.api.schema import immutable, marks, rule
from hotdesk.api.v1alpha1.kinds import PoolName, Resource
from hotdesk.api.v1alpha1.lifecycle import BackupMethod
from hotdesk.api.wire import ApiModel, MicroTime, Time

MachinePhase = Literal[
    "Booting", "Idle", "Claimed", "Quarantined", "Stopping", "Stopped", "Starting", "Reaping", "Terminated"
]
ReapReason = Literal["Used", "Surplus", "NotReady", "Lost", "PoolDeleted", "Archived", "Leaked", "Interrupted"]
InterruptionReason = Literal["SpotInterruption", "Maintenance"]
StopReason = Literal["Idle", "Halted", "MaxLifetime", "Interrupted", "NoCapacity", "Quota"]


class ClaimedBy(ApiModel):
    """The workspace that holds a slot."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    """The workspace's namespace."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """The workspace's name."""
    uid: Annotated[str, Field(min_length=1, max_length=64)]
    """The workspace's UID: a workspace created anew under the same name does not inherit the machine."""


class Claim(ApiModel):
    """The record that a slot belongs to one workspace."""

    slot: Annotated[int, Field(ge=0, le=99)]
    """The slot, counted from 0."""
    workspace: ClaimedBy
    """The workspace that holds the slot."""
    owner: Annotated[str, Field(max_length=128)] = ""
    """The workspace's owner when the slot was claimed."""
    claimed_at: MicroTime
    """When the slot was claimed."""
    used_until: MicroTime | None = None
    """Until when the machine's time for it is on record in spec.used, or accounted for."""


class Reap(ApiModel):
    """The decision to give the machine back to AWS."""

    reason: ReapReason
    """Used: its workspaces are gone. Surplus: more idle than wanted. NotReady: it missed the readiness deadline.
    Lost: the instance is gone. PoolDeleted: its pool is. Archived: its workspaces' files are kept elsewhere.
    Leaked: nobody knew it, and its pool has such instances terminated. Interrupted: nobody had claimed it, and AWS is
    about to take it."""
    at: Time
    """When it was decided."""


class Stop(ApiModel):
    """The decision to stop the machine. It stands until EC2 shows the machine stopped; then it may be woken."""

    reason: StopReason
    """Idle: nobody works there. Halted: its user wants it stopped. MaxLifetime: it has run as long as it may.
    Interrupted: AWS is about to take it, so its files are saved at once. NoCapacity: AWS has no room to start it again,
    so its files are brought to another machine. Quota: its owner has used up the minutes of the day."""
    at: MicroTime
    """When it was decided: only what was saved after it holds everything."""
    final: bool = False
    """Set before EC2 is told: from then on the machine must first be seen stopped before it may be woken. Until then
    the decision can be taken back, for example while files are being saved."""


class Owed(ApiModel):
    """What is still to be done for a workspace that has left a machine: it may be gone, and the machine remembers."""

    slot: Annotated[int, Field(ge=0, le=99)]
    """The slot it had."""
    workspace: ClaimedBy
    """The workspace that had it."""
    owner: Annotated[str, Field(max_length=128)]
    """The workspace's owner."""
    at: MicroTime
    """When it left: only what was saved after it holds everything."""
    backup: bool = False
    """Whether its files are to be saved before the machine ends."""


class Used(ApiModel):
    """A stretch of time in which the machine ran for a workspace, and which is still to be accounted for."""

    slot: Annotated[int, Field(ge=0, le=99)]
    """The slot it had."""
    workspace: ClaimedBy
    """The workspace that had it; it may be gone."""
    owner: Annotated[str, Field(max_length=128)]
    """The workspace's owner."""
    since: MicroTime
    """Since when."""
    until: MicroTime | None = None
    """Until when; absent while the machine runs on for a workspace that has left."""


class Saved(ApiModel):
    """A verified backup of one slot's files."""

    slot: Annotated[int, Field(ge=0, le=99)]
    """The slot."""
    uid: Annotated[str, Field(max_length=64)]
    """The UID of the workspace whose files these are."""
    id: Annotated[str, Field(max_length=1024)]
    """The snapshot's id, or the archive's key."""
    launched_at: Time
    """The start of the instance that it was made of; a later start voids it."""
    began_at: MicroTime
    """When it was begun; it is proof only for a stop decided before."""
    completed_at: MicroTime
    """When it was verified."""
    size: Annotated[int, Field(ge=0)] = 0
    """Bytes."""
    method: BackupMethod | None = None
    """How it was made; the pool's method may have changed since."""
    bucket: Annotated[str | None, Field(max_length=63)] = None
    """The bucket of an archive."""
    paths: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=16)] = ()
    """The directories that held the files."""


class Interruption(ApiModel):
    """AWS has announced that it takes the machine. A later start of the machine voids it."""

    reason: InterruptionReason
    """SpotInterruption: spot capacity is taken back. Maintenance: the host is retired, stopped or rebooted."""
    announced_at: MicroTime
    """When AWS said so."""
    at: MicroTime
    """When it happens: two minutes after a spot warning, days or weeks after maintenance was scheduled."""


class MachineSpec(ApiModel):
    """What the operator decided about the machine."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule(
                "!has(oldSelf.reap) || (has(self.reap) && self.reap == oldSelf.reap)",
                "reap is one-way: once set it can be neither changed nor removed",
            ),
            rule(
                "!has(self.reap) || !has(self.claims) || self.claims.size() == 0",
                "claims and reap exclude each other: release the claims in the write that sets reap",
            ),
            rule(
                "!has(self.claims) || self.claims.all(c, c.slot < self.slots)",
                "every claim's slot must be below slots",
            ),
            rule(
                "!has(self.claims) ||"
                " self.claims.all(c, self.claims.exists_one(d, c.workspace.uid == d.workspace.uid))",
                "a workspace can hold one slot only",
            ),
        ),
    )

    pool: PoolName
    """The MachinePool it was launched for. Immutable."""
    provider_id: Annotated[
        str,
        Field(
            alias="providerID",
            max_length=128,
            json_schema_extra=marks(
                rule(
                    "self.matches('^aws:///[a-z0-9-]+/i-[0-9a-f]{8,17}$')",
                    "providerID must look like aws:///eu-central-1a/i-0123456789abcdef0",
                ),
                immutable("providerID"),
            ),
        ),
    ]
    """The instance as Kubernetes writes it, aws:///ZONE/INSTANCE-ID. Immutable."""
    slots: Annotated[int, Field(ge=1, le=100)]
    """How many workspaces have room on it: the pool's slotsPerMachine when the machine was first seen."""
    claims: Annotated[tuple[Claim, ...], Field(max_length=100, json_schema_extra=marks(map_keys=["slot"]))] = ()
    """Who holds which slot. Written only by compare-and-swap."""
    stop: Stop | None = None
    """Set when the machine is to be stopped; taken away when it is to run again."""
    owed: Annotated[tuple[Owed, ...], Field(max_length=100, json_schema_extra=marks(map_keys=["slot"]))] = ()
    """What is still to be done for workspaces that have left, before the machine may end."""
    used: Annotated[tuple[Used, ...], Field(max_length=1000)] = ()
    """Time that is still to be counted and written into the ledger, before the record may go."""
    reap: Reap | None = None
    """Set when the machine is to be terminated. One-way, and never together with claims."""


class MachineStatus(ApiModel):
    """What was observed of the machine."""

    phase: MachinePhase = "Booting"
    """A summary for people."""
    observed_generation: int | None = None
    """The generation of the spec that this status is about."""
    private_ip: Annotated[str | None, Field(alias="privateIP", max_length=45)] = None
    """The address inside the VPC."""
    public_ip: Annotated[str | None, Field(alias="publicIP", max_length=45)] = None
    """The public address, if it has one."""
    zone: Annotated[str | None, Field(max_length=63)] = None
    """The availability zone."""
    instance_type: Annotated[str | None, Field(max_length=63)] = None
    """The EC2 instance type."""
    lifecycle: Literal["spot", "on-demand"] | None = None
    """How it is paid for."""
    in_group: bool | None = None
    """Whether the Auto Scaling group still owns it; false once it is detached and out of the group's reach."""
    launched_at: Time | None = None
    """When EC2 launched it."""
    stop_protected: bool | None = None
    """Whether EC2's stop protection is on, as far as it was switched by the operator: it guards a machine that was
    woken against a late answer to an earlier stop."""
    stopped_at: MicroTime | None = None
    """When EC2 was first seen to have stopped it, after the decision in spec.stop."""
    saved: Annotated[tuple[Saved, ...], Field(max_length=100)] = ()
    """The verified backups of what is on its disk."""
    ready_at: MicroTime | None = None
    """When it first passed the pool's readiness probe."""
    interruption: Interruption | None = None
    """What AWS has announced; such a machine is handed out to nobody any more."""
    conditions: Conditions = ()
    """Ready: it passed the readiness probe. Secured: it is claimed, tagged and out of the group's reach."""


class Machine(Resource):
    """A Machine is the record of one EC2 instance, named by its instance id. Only the operator writes Machines."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule(
                "self.metadata.name.matches('^i-[0-9a-f]{8,17}$')",
                "metadata.name must be an EC2 instance id like i-0123456789abcdef0",
            ),
            rule(
                "self.spec.providerID.endsWith('/' + self.metadata.name)",
                "spec.providerID must end with '/' and metadata.name",
            ),
        ),
    )

    kind: Literal["Machine"] = "Machine"
    spec: MachineSpec
    """What the operator decided about the machine."""
    status: Annotated[MachineStatus, Field(json_schema_extra=marks(stored_default={"phase": "Booting"}))] = (
        MachineStatus()
    )
    """What was observed of the machine."""
