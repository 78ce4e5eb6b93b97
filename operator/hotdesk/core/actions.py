"""Everything the operator can do: a closed set, each with the key under which only one may be under way."""

from dataclasses import dataclass, field
from datetime import datetime

from hotdesk.api.v1alpha1 import (
    Claim,
    Machine,
    MachinePool,
    MachinePoolStatus,
    MachineSpec,
    MachineStatus,
    Readiness,
    ReapReason,
    StopReason,
    Used,
    Workspace,
)
from hotdesk.api.v1alpha1 import WorkspaceStatus as Status
from hotdesk.core.backups import BackupJob, RestoreJob
from hotdesk.core.facts import Instance
from hotdesk.core.keys import (
    CapacityWrite,
    Key,
    MachineCreation,
    MachineWrite,
    PoolWrite,
    PowerCall,
    Securing,
    Termination,
    WorkspaceWrite,
)


@dataclass(frozen=True, slots=True)
class Seat:
    """One workspace and the slot it shall get."""

    slot: int
    workspace: Workspace
    hit: bool  # it found a slot the first time it was looked at


@dataclass(frozen=True, slots=True)
class ClaimSlots(MachineWrite):
    """Claim free slots of one machine in one write, then publish each workspace."""

    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class PublishFound(MachineWrite):
    """Rewrite a claim that was found, not made, in this pass, then publish its workspace."""

    claim: Claim
    workspace: Workspace


@dataclass(frozen=True, slots=True)
class CheckClaims(MachineWrite):
    """Ask the API server for the workspaces of these claims and drop those that are gone or live elsewhere.

    The claims of `refused` are dropped too unless they were published after all: the quota has no room for them.
    """

    uids: frozenset[str]
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CheckSeat(WorkspaceWrite):
    """Ask the API server whether a published workspace still holds its claim.

    If the record lost the claim or is gone while the instance lives, the claim is restored; else the machine is lost.
    """

    instance: Instance | None  # the machine as EC2 showed it


@dataclass(frozen=True, slots=True)
class ReportWorkspace(WorkspaceWrite):
    """Tell a workspace how it stands."""

    status: Status


@dataclass(frozen=True, slots=True)
class RegisterMachine(MachineCreation):
    """Create the record of an instance that its group shows."""

    zone: str
    slots: int


@dataclass(frozen=True, slots=True)
class ReportMachine(MachineWrite):
    """Write what was observed of a machine."""

    status: MachineStatus


@dataclass(frozen=True, slots=True)
class ReapMachine(MachineWrite):
    """Decide, for good, that a machine is terminated; the claims it still has are those of a lost machine."""

    reason: ReapReason


@dataclass(frozen=True, slots=True)
class AdoptInstance(MachineCreation):
    """Create the record of an instance that nobody knew, with the claims that its tags name."""

    zone: str
    slots: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class CondemnInstance(MachineCreation):
    """Create the record of an instance that nobody knew, to be ended, if all that its tags name are gone."""

    zone: str
    slots: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class ForgetMachine(MachineWrite):
    """Delete the record of a machine that EC2 has terminated."""


@dataclass(frozen=True, slots=True)
class ProbeMachine:
    """Ask a booting machine whether it is ready."""

    name: str
    ip: str
    readiness: Readiness

    @property
    def key(self) -> Key:
        """One probe of a machine at a time."""
        return "probe", self.name


@dataclass(frozen=True, slots=True)
class ReportPool(PoolWrite):
    """Tell the pool how it stands, unless it changed since this was planned."""

    pool: MachinePool
    status: MachinePoolStatus


@dataclass(frozen=True, slots=True)
class HoldPool(PoolWrite):
    """Put our finalizer on the pool, so that its deletion waits for its claims."""


@dataclass(frozen=True, slots=True)
class LetPoolGo(PoolWrite):
    """Take our finalizer off a deleted pool that has nothing left."""


@dataclass(frozen=True, slots=True)
class SetDesired(CapacityWrite):
    """Set the group's desired capacity."""

    desired: int
    raises: bool  # above what the group is known to have: must be recorded before it is sent


@dataclass(frozen=True, slots=True)
class SetMaxSize(CapacityWrite):
    """Set the group's MaxSize, the fence that a late capacity call cannot pass."""

    max_size: int
    raises: bool


@dataclass(frozen=True, slots=True)
class RepairGroup:
    """Put the group's settings right."""

    configure: bool = False
    suspend: frozenset[str] = frozenset()
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> Key:
        """One repair at a time."""
        return ("group",)


@dataclass(frozen=True, slots=True)
class ProtectMembers:
    """Protect members from scale-in."""

    ids: tuple[str, ...]

    @property
    def key(self) -> Key:
        """One batch at a time."""
        return ("protect",)


@dataclass(frozen=True, slots=True)
class TagMachines(Securing):
    """Write the claims of these machines into their tags."""

    ids: tuple[str, ...]
    tags: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DetachMachines(Securing):
    """Take claimed machines out of the group's reach."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TerminateMember(Termination):
    """Terminate a reaped machine through its group."""


@dataclass(frozen=True, slots=True)
class TerminateInstance(Termination):
    """Terminate a reaped machine outside the group."""


@dataclass(frozen=True, slots=True)
class StopMachine(MachineWrite):
    """Decide that a machine is to be stopped, if after one more look at its workspaces nobody is at work."""

    reason: StopReason
    final: bool  # nothing must be saved while it runs: EC2 may be told at once


@dataclass(frozen=True, slots=True)
class FinishStop(MachineWrite):
    """Decide, past turning back, that EC2 is told to stop a machine: its files are saved."""


@dataclass(frozen=True, slots=True)
class WakeMachine(MachineWrite):
    """Decide that a machine is to run again: it was seen stopped, or EC2 was never told to stop it."""


@dataclass(frozen=True, slots=True)
class GiveUpStart(MachineWrite):
    """Decide that a machine stays stopped, because AWS has no room to start it: its files go to another one."""

    stopped_at: datetime  # the decision after which nobody has written to its disk


@dataclass(frozen=True, slots=True)
class ArchiveMachine(MachineWrite):
    """Give a machine back whose workspaces are all saved and marked as archiving."""


@dataclass(frozen=True, slots=True)
class SettleOwed(MachineWrite):
    """Take what a machine owed off its record: it is saved, or lost with the machine."""


@dataclass(frozen=True, slots=True)
class RecordUse(MachineWrite):
    """Put on a machine's record when its run has ended for those who used it."""

    spec: MachineSpec


@dataclass(frozen=True, slots=True)
class AccountFor(MachineWrite):
    """Write time used into the ledger and tell its workspaces, then take it off the machine's record."""

    ended: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class StopInstance(PowerCall):
    """Have EC2 stop a machine."""


@dataclass(frozen=True, slots=True)
class StartInstance(PowerCall):
    """Have EC2 start a machine."""


@dataclass(frozen=True, slots=True)
class DeleteLeftover:
    """Delete a volume or a snapshot that nobody uses."""

    id: str

    @property
    def key(self) -> Key:
        """Once at a time."""
        return "delete", self.id


@dataclass(frozen=True, slots=True)
class GuardInstance:
    """Switch EC2's stop protection of a machine, and note it on its record."""

    machine: Machine
    protect: bool

    @property
    def key(self) -> Key:
        """One change of a machine's power at a time."""
        return "power", self.machine.metadata.name


@dataclass(frozen=True, slots=True)
class BackUp:
    """Advance the backup of one slot; once it is verified, note it on the machine's record."""

    machine: Machine
    job: BackupJob

    @property
    def key(self) -> Key:
        """One step of a backup at a time."""
        return "backup", self.machine.metadata.name, str(self.job.slot)


@dataclass(frozen=True, slots=True)
class Restore:
    """Advance the restore of a workspace's files; once it is done, tell the workspace."""

    workspace: Workspace
    job: RestoreJob

    @property
    def key(self) -> Key:
        """One step of a restore at a time."""
        return "restore", self.workspace.metadata.uid


@dataclass(frozen=True, slots=True)
class FindFiles:
    """Find out which backup a new workspace is to begin with."""

    workspace: Workspace

    @property
    def key(self) -> Key:
        """One step of a restore at a time."""
        return "restore", self.workspace.metadata.uid


Action = (
    ClaimSlots
    | PublishFound
    | CheckClaims
    | CheckSeat
    | ReportWorkspace
    | RegisterMachine
    | ReportMachine
    | ReapMachine
    | AdoptInstance
    | CondemnInstance
    | ForgetMachine
    | ProbeMachine
    | ReportPool
    | HoldPool
    | LetPoolGo
    | SetDesired
    | SetMaxSize
    | RepairGroup
    | ProtectMembers
    | TagMachines
    | DetachMachines
    | TerminateMember
    | TerminateInstance
    | StopMachine
    | FinishStop
    | WakeMachine
    | GiveUpStart
    | ArchiveMachine
    | SettleOwed
    | RecordUse
    | AccountFor
    | StopInstance
    | StartInstance
    | GuardInstance
    | DeleteLeftover
    | BackUp
    | Restore
    | FindFiles
)
