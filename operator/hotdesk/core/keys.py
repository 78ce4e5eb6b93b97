"""Which actions must not run beside each other: of those with one key, one is under way at a time."""

from dataclasses import dataclass

from hotdesk.api.v1alpha1 import Machine, Workspace

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MachineWrite:
    """What writes to the record of a machine as it was read."""

    machine: Machine

    @property
    def key(self) -> Key:
        """One write to a machine at a time."""
        return "machine", self.machine.metadata.name


@dataclass(frozen=True, slots=True)
class WorkspaceWrite:
    """What writes to a workspace."""

    workspace: Workspace

    @property
    def key(self) -> Key:
        """One write to a workspace at a time."""
        return "workspace", self.workspace.metadata.uid


@dataclass(frozen=True, slots=True)
class MachineCreation:
    """What creates the record of a machine."""

    name: str

    @property
    def key(self) -> Key:
        """One write to a machine at a time."""
        return "machine", self.name


@dataclass(frozen=True, slots=True)
class Termination:
    """What ends an instance."""

    name: str

    @property
    def key(self) -> Key:
        """One termination of a machine at a time."""
        return "terminate", self.name


@dataclass(frozen=True, slots=True)
class PowerCall:
    """What starts or stops an instance."""

    name: str

    @property
    def key(self) -> Key:
        """One change of a machine's power at a time."""
        return "power", self.name


@dataclass(frozen=True, slots=True)
class PoolWrite:
    """What writes to the pool."""

    @property
    def key(self) -> Key:
        """One write to the pool at a time."""
        return ("pool",)


@dataclass(frozen=True, slots=True)
class CapacityWrite:
    """What changes how large the group is."""

    @property
    def key(self) -> Key:
        """One capacity call at a time."""
        return ("capacity",)


@dataclass(frozen=True, slots=True)
class Securing:
    """What puts claimed machines out of the group's reach."""

    @property
    def key(self) -> Key:
        """One batch at a time, and never beside a detach of the same machines."""
        return ("secure",)
