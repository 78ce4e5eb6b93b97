"""The Leases by which replicas share the pools: few, small, and on connections of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotdesk.adapters.kube.reading import fetch_object, list_objects
from hotdesk.adapters.kube.resources import LEASES
from hotdesk.adapters.kube.watch import Watch
from hotdesk.adapters.kube.writing import WriteObserver, Writer
from hotdesk.ports import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotdesk.adapters.kube.connection import Connection
    from hotdesk.adapters.kube.session import KubeSession
    from hotdesk.api.lease import Lease, LeaseSpec

CONNECTIONS: Final = 4  # a renewal must never queue behind a burst of claims
_LABEL: Final = "app.kubernetes.io/managed-by"
_OURS: Final = f"{_LABEL}=hotdesk"  # other programs may have Leases in the same namespace


class KubeLeases:
    """`ports.Leases` over one session."""

    def __init__(self, session: KubeSession, *, namespace: str, on_write: WriteObserver | None = None) -> None:
        self._session = session
        self._namespace = namespace
        self._writer = Writer(session, observer=on_write)

    async def list_leases(self) -> Sequence[Lease]:
        """Return every Lease of ours; one that cannot be read is logged and left out."""
        return await list_objects(self._session, LEASES, namespace=self._namespace, selector=_OURS)

    async def fetch_lease(self, *, name: str) -> Lease | None:
        """Read one Lease past every cache; None if it does not exist."""
        return await fetch_object(self._session, LEASES, name=name, namespace=self._namespace)

    async def create_lease(self, *, name: str, spec: LeaseSpec) -> Lease:
        """Create a Lease; Conflict if it exists."""
        metadata = {"name": name, "namespace": self._namespace, "labels": {_LABEL: "hotdesk"}}
        body = {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": metadata, "spec": spec.wire()}
        return await self._writer.create(LEASES, body, name=name)

    async def patch_lease(self, lease: Lease, spec: LeaseSpec) -> Lease:
        """Merge a spec into a Lease that is still as it was read."""
        return await self._writer.patch(LEASES, lease, {"spec": spec.wire()})

    async def delete_lease(self, lease: Lease) -> None:
        """Delete exactly the Lease that was read; an absent one is success."""
        try:
            await self._writer.delete(LEASES, lease)
        except NotFound:
            return


def watch_leases(
    connection: Connection,
    *,
    namespace: str,
    upsert: Callable[[Lease], None],
    delete: Callable[[Lease], None],
    relisted: Callable[[], None],
) -> Watch[Lease]:
    """Return a watch of every Lease of ours."""
    return Watch(
        connection,
        LEASES,
        upsert=upsert,
        delete=delete,
        relisted=relisted,
        namespace=namespace,
        selector=_OURS,
    )
