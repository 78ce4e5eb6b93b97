"""What the actors need from the Kubernetes API."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from hotdesk.api.lease import Lease, LeaseSpec
from hotdesk.api.v1alpha1 import (
    Claim,
    Machine,
    MachinePool,
    MachinePoolStatus,
    MachineSpec,
    MachineStatus,
    Workspace,
    WorkspaceStatus,
)
from hotdesk.core.eligibility import Priorities


class Store(Protocol):
    """The Kubernetes API: parsed models in, patches guarded by the resourceVersion that was read out.

    Every writing method takes the object as it was read and answers with the object as it is now. It raises
    Conflict if the object changed meanwhile, NotFound if it is gone, Unanswered if the outcome is unknown,
    Denied without the permission, Refused if the API server finds the object invalid.
    """

    async def list_workspaces(self, known: Mapping[str, Workspace] | None = None) -> Sequence[Workspace]:
        """Every Workspace there is; one of `known`, by UID, is that same object if it has not changed."""

    async def list_machines(self, known: Mapping[str, Machine] | None = None) -> Sequence[Machine]:
        """Every Machine there is; one of `known`, by UID, is that same object if it has not changed."""

    async def list_pools(self) -> Sequence[MachinePool]:
        """Every MachinePool there is."""

    async def list_namespace_labels(self) -> Mapping[str, Mapping[str, str]]:
        """Return the labels of every namespace, by its name."""

    async def list_priorities(self) -> Priorities:
        """Return every PriorityClass, and which value is the default."""

    async def fetch_workspace(self, *, namespace: str, name: str) -> Workspace | None:
        """Read one Workspace past every cache; None if it does not exist."""

    async def fetch_machine(self, *, name: str) -> Machine | None:
        """Read one Machine past every cache; None if it does not exist."""

    async def create_machine(self, machine: Machine) -> Machine:
        """Create a Machine (its status is written separately); Conflict if it exists."""

    async def patch_machine(self, machine: Machine, *, claims: Sequence[Claim]) -> Machine:
        """Replace the machine's claims: the compare-and-swap of the claim protocol."""

    async def patch_machine_spec(self, machine: Machine, spec: MachineSpec) -> Machine:
        """Bring the machine's spec from what was read to `spec`: the compare-and-swap of everything but claims."""

    async def patch_machine_status(self, machine: Machine, status: MachineStatus) -> Machine:
        """Bring the machine's status from what was read to `status`."""

    async def delete_machine(self, machine: Machine) -> None:
        """Delete exactly the object that was read; an absent one is success."""

    async def patch_workspace_status(self, workspace: Workspace, status: WorkspaceStatus) -> Workspace:
        """Bring the workspace's status from what was read to `status`."""

    async def fetch_pool(self, *, name: str) -> MachinePool | None:
        """Read one MachinePool past every cache; None if it does not exist."""

    async def patch_pool_status(self, pool: MachinePool, status: MachinePoolStatus) -> MachinePool:
        """Bring the pool's status from what was read to `status`."""

    async def patch_pool_finalizers(self, pool: MachinePool, finalizers: Sequence[str]) -> MachinePool:
        """Replace the pool's finalizers."""


class Leases(Protocol):
    """The Leases of the replicas and of the pools, in one namespace.

    Writes are guarded by the resourceVersion that was read, and raise what the Store's raise. None of them asks
    whether this process may act: they are how it comes to.
    """

    async def list_leases(self) -> Sequence[Lease]:
        """Every Lease of ours."""

    async def fetch_lease(self, *, name: str) -> Lease | None:
        """Read one Lease past every cache; None if it does not exist."""

    async def create_lease(self, *, name: str, spec: LeaseSpec) -> Lease:
        """Create a Lease; Conflict if it exists."""

    async def patch_lease(self, lease: Lease, spec: LeaseSpec) -> Lease:
        """Merge a spec into a Lease that is still as it was read."""

    async def delete_lease(self, lease: Lease) -> None:
        """Delete exactly the Lease that was read; an absent one is success."""
