"""The Store on the Kubernetes API: parsed models in, patches guarded by the version that was read out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotdesk.adapters.kube.patches import difference
from hotdesk.adapters.kube.reading import fetch_object, list_objects, list_raw
from hotdesk.adapters.kube.resources import MACHINES, NAMESPACES, POOLS, PRIORITY_CLASSES, WORKSPACES
from hotdesk.adapters.kube.writing import WriteObserver, Writer
from hotdesk.core.eligibility import Priorities
from hotdesk.ports import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hotdesk.adapters.kube.session import KubeSession
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


class KubeStore:
    """`ports.Store` over one session.

    Every list and fetch is a consistent read: no resourceVersion is sent, so the answer holds everything that
    happened before the call. Ghosts are removed by comparing with a list, and a stale one would remove what is
    alive. Reads are tried again while nobody answers; a write is sent once, whatever happens to it.
    """

    def __init__(
        self,
        session: KubeSession,
        *,
        on_write: WriteObserver | None = None,
        gate: Callable[[], None] = lambda: None,
    ) -> None:
        self._session = session
        self._writer = Writer(session, observer=on_write, gate=gate)

    async def list_workspaces(self, known: Mapping[str, Workspace] | None = None) -> Sequence[Workspace]:
        """Return every Workspace; one that cannot be read is logged and left out."""
        return await list_objects(self._session, WORKSPACES, known=known)

    async def list_machines(self, known: Mapping[str, Machine] | None = None) -> Sequence[Machine]:
        """Return every Machine; one that cannot be read is logged and left out."""
        return await list_objects(self._session, MACHINES, known=known)

    async def list_pools(self) -> Sequence[MachinePool]:
        """Return every MachinePool; one that cannot be read is logged and left out."""
        return await list_objects(self._session, POOLS)

    async def list_namespace_labels(self) -> Mapping[str, Mapping[str, str]]:
        """Return the labels of every namespace, by its name."""
        items = await list_raw(self._session, path=NAMESPACES, resource="namespaces")
        named = {str(item["metadata"].get("name")): item["metadata"].get("labels") for item in items}
        return {name: labels if isinstance(labels, dict) else {} for name, labels in named.items()}

    async def list_priorities(self) -> Priorities:
        """Return every PriorityClass, and which value is the default."""
        items = await list_raw(self._session, path=PRIORITY_CLASSES, resource="priorityclasses")
        values = {str(item["metadata"].get("name")): _value(item) for item in items}
        default = max((_value(item) for item in items if item.get("globalDefault") is True), default=0)
        return Priorities(values=values, default=default)

    async def fetch_workspace(self, *, namespace: str, name: str) -> Workspace | None:
        """Read one Workspace past every cache; None if it does not exist, Refused if it cannot be read."""
        return await fetch_object(self._session, WORKSPACES, name=name, namespace=namespace)

    async def fetch_machine(self, *, name: str) -> Machine | None:
        """Read one Machine past every cache; None if it does not exist, Refused if it cannot be read."""
        return await fetch_object(self._session, MACHINES, name=name)

    async def fetch_pool(self, *, name: str) -> MachinePool | None:
        """Read one MachinePool past every cache; None if it does not exist, Refused if it cannot be read."""
        return await fetch_object(self._session, POOLS, name=name)

    async def create_machine(self, machine: Machine) -> Machine:
        """Create a Machine without its status; Conflict if it exists."""
        meta = machine.metadata.wire()
        body = {
            "apiVersion": machine.api_version,
            "kind": machine.kind,
            "metadata": {key: meta[key] for key in ("name", "labels", "annotations", "finalizers") if meta.get(key)},
            "spec": machine.spec.wire(),
        }
        return await self._writer.create(MACHINES, body, name=machine.metadata.name)

    async def patch_machine(self, machine: Machine, *, claims: Sequence[Claim]) -> Machine:
        """Replace the claims, if the Machine is still as it was read."""
        return await self._writer.patch(MACHINES, machine, {"spec": {"claims": [claim.wire() for claim in claims]}})

    async def patch_machine_spec(self, machine: Machine, spec: MachineSpec) -> Machine:
        """Bring the spec to `spec`, if the Machine is still as it was read; costs no call where nothing differs."""
        changes = difference(machine.spec, spec)
        return await self._writer.patch(MACHINES, machine, {"spec": changes}) if changes else machine

    async def patch_machine_status(self, machine: Machine, status: MachineStatus) -> Machine:
        """Bring the status to `status`; costs no call where the object that was read says so already."""
        changes = difference(machine.status, status)
        return (
            await self._writer.patch(MACHINES, machine, {"status": changes}, subresource="status")
            if changes
            else machine
        )

    async def patch_workspace_status(self, workspace: Workspace, status: WorkspaceStatus) -> Workspace:
        """Bring the status to `status`; costs no call where the object that was read says so already."""
        changes = difference(workspace.status, status)
        if not changes:
            return workspace
        return await self._writer.patch(WORKSPACES, workspace, {"status": changes}, subresource="status")

    async def patch_pool_status(self, pool: MachinePool, status: MachinePoolStatus) -> MachinePool:
        """Bring the status to `status`; costs no call where the object that was read says so already."""
        changes = difference(pool.status, status)
        return await self._writer.patch(POOLS, pool, {"status": changes}, subresource="status") if changes else pool

    async def patch_pool_finalizers(self, pool: MachinePool, finalizers: Sequence[str]) -> MachinePool:
        """Replace the finalizers."""
        return await self._writer.patch(POOLS, pool, {"metadata": {"finalizers": list(finalizers)}})

    async def delete_machine(self, machine: Machine) -> None:
        """Delete exactly the object that was read, at the version that was read; an absent one is success."""
        try:
            await self._writer.delete(MACHINES, machine)
        except NotFound:
            return


def _value(item: dict[str, Any]) -> int:
    value = item.get("value")
    return value if isinstance(value, int) else 0
