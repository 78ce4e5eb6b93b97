"""Where each kind lives in the Kubernetes API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from hotdesk.api.lease import LEASE_API_VERSION, Lease
from hotdesk.api.v1alpha1 import API_VERSION, Machine, MachinePool, PoolPatience, Workspace, WorkspaceActivity
from hotdesk.ports import NotFound

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?", re.ASCII)

M = TypeVar("M", Workspace, WorkspaceActivity, Machine, MachinePool, PoolPatience, Lease)


@dataclass(frozen=True, slots=True)
class Resource(Generic[M]):
    """A kind: what it is called in a path, and the model it is parsed into."""

    plural: str
    model: type[M]
    namespaced: bool
    api_version: str = API_VERSION

    @property
    def everywhere(self) -> str:
        """The path that lists it in all namespaces."""
        return f"/apis/{self.api_version}/{self.plural}"

    def within(self, namespace: str) -> str:
        """Return the path that lists it in one namespace, or outside of all of them, and creates it there."""
        return f"/apis/{self.api_version}/namespaces/{namespace}/{self.plural}" if namespace else self.everywhere

    def path(self, *, name: str, namespace: str = "") -> str:
        """Return the path of one object.

        Raises:
            NotFound: no object can have this name. Names also come from records that a person can write, and a
                name like `..` would lead to another path.

        """
        if not _NAME.fullmatch(name) or (self.namespaced and not _NAME.fullmatch(namespace)):
            raise NotFound(f"no {self.plural} can be called {name!r} in namespace {namespace!r}")
        return f"{self.within(namespace)}/{name}" if self.namespaced else f"{self.everywhere}/{name}"


WORKSPACES: Final = Resource(plural="workspaces", model=Workspace, namespaced=True)
ACTIVITIES: Final = Resource(plural="workspaces", model=WorkspaceActivity, namespaced=True)
MACHINES: Final = Resource(plural="machines", model=Machine, namespaced=False)
PATIENCES: Final = Resource(plural="machinepools", model=PoolPatience, namespaced=False)
POOLS: Final = Resource(plural="machinepools", model=MachinePool, namespaced=False)
LEASES: Final = Resource(plural="leases", model=Lease, namespaced=True, api_version=LEASE_API_VERSION)
NAMESPACES: Final = "/api/v1/namespaces"
PRIORITY_CLASSES: Final = "/apis/scheduling.k8s.io/v1/priorityclasses"
