"""Where each kind lives in the Kubernetes API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from hotdesk.api.v1alpha1 import API_VERSION, Machine, MachinePool, Workspace
from hotdesk.ports import NotFound

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?", re.ASCII)

M = TypeVar("M", Workspace, Machine, MachinePool)


@dataclass(frozen=True, slots=True)
class Resource(Generic[M]):
    """One of our kinds: what it is called in a path, and the model it is parsed into."""

    plural: str
    model: type[M]
    namespaced: bool

    @property
    def everywhere(self) -> str:
        """The path that lists it in all namespaces."""
        return f"/apis/{API_VERSION}/{self.plural}"

    def path(self, *, name: str, namespace: str = "") -> str:
        """Return the path of one object.

        Raises:
            NotFound: no object can have this name. Names also come from records that a person can write, and a
                name like `..` would lead to another path.

        """
        if not _NAME.fullmatch(name) or (self.namespaced and not _NAME.fullmatch(namespace)):
            raise NotFound(f"no {self.plural} can be called {name!r} in namespace {namespace!r}")
        if self.namespaced:
            return f"/apis/{API_VERSION}/namespaces/{namespace}/{self.plural}/{name}"
        return f"/apis/{API_VERSION}/{self.plural}/{name}"


WORKSPACES: Final = Resource(plural="workspaces", model=Workspace, namespaced=True)
MACHINES: Final = Resource(plural="machines", model=Machine, namespaced=False)
POOLS: Final = Resource(plural="machinepools", model=MachinePool, namespaced=False)
NAMESPACES: Final = "/api/v1/namespaces"
PRIORITY_CLASSES: Final = "/apis/scheduling.k8s.io/v1/priorityclasses"
