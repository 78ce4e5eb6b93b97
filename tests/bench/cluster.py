"""What the bench itself does at the API server between the measurements, and what it reads there."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from bench.settled import LABEL
from bench.wire import LEASES, MACHINES, NAMESPACE, WORKSPACES, Access, Wire, wire
from hotdesk.core.lease_book import pool_lease

T = TypeVar("T")

_CONNECTIONS = 16
_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE", "APPLY", "DELETECOLLECTION"})

Writes = Counter[tuple[str, str]]
"""(resource with its subresource, verb) -> requests, whatever the answer was."""


class Cluster:
    """The objects of the bench. Every method opens its own connections: none is open while something is measured."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def machines(self) -> list[dict[str, Any]]:
        """Return every Machine but those that were settled before."""
        return self._do(lambda opened: _items(opened, f"{MACHINES}?labelSelector=!{LABEL}"))

    def workspaces(self) -> list[dict[str, Any]]:
        """Return every Workspace of the bench."""
        return self._do(lambda opened: _items(opened, WORKSPACES))

    def workspace(self, name: str) -> dict[str, Any]:
        """Return one of them."""
        found: dict[str, Any] = self._do(lambda opened: opened.get(f"{WORKSPACES}/{name}"))
        return found

    def holder(self, pool: str) -> str:
        """Return which replica acts for a pool; nothing if none does."""
        lease = self._do(lambda opened: opened.get(f"{LEASES}/{pool_lease(pool)}"))
        return str(lease["spec"].get("holderIdentity", ""))

    def make_namespace(self) -> None:
        """Make the namespace of the load."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self._do(lambda opened: opened.create("/api/v1/namespaces", body))

    def ask(self, name: str, *, pool: str) -> None:
        """Create one Workspace."""
        meta, spec = {"name": name}, {"pool": pool, "owner": "ada", "project": "bench"}
        body = {"apiVersion": "hotdesk.dev/v1alpha1", "kind": "Workspace", "metadata": meta, "spec": spec}
        self._do(lambda opened: opened.create(WORKSPACES, body))

    def unclaim(self, names: Iterable[str]) -> None:
        """Make machines that the floor has claimed idle again."""
        paths = [f"{MACHINES}/{name}" for name in names]
        self._each(paths, lambda opened, path: opened.patch(path, {"spec": {"claims": []}}))

    def delete_machines(self, names: Iterable[str]) -> None:
        """Delete records of machines; the operator must not run."""
        self._each([f"{MACHINES}/{name}" for name in names], lambda opened, path: opened.delete(path))

    def delete_workspaces(self) -> None:
        """Delete every Workspace of the bench."""
        paths = [f"{WORKSPACES}/{workspace['metadata']['name']}" for workspace in self.workspaces()]
        self._each(paths, lambda opened, path: opened.delete(path))

    def writes(self) -> Writes:
        """Return the writes to Hotdesk's kinds that the API server has counted since it started."""
        return _writes(self._do(lambda opened: opened.get_text("/metrics")))

    def _each(self, paths: list[str], act: Callable[[Wire, str], Awaitable[Any]]) -> None:
        async def all_of_them(opened: Wire) -> None:
            await asyncio.gather(*(act(opened, path) for path in paths))

        self._do(all_of_them)

    def _do(self, work: Callable[[Wire], Awaitable[T]]) -> T:
        async def connected() -> T:
            async with wire(self._access, connections=_CONNECTIONS) as opened:
                return await work(opened)

        return asyncio.run(connected())


async def _items(opened: Wire, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await opened.get(path))["items"]
    return items


def _writes(metrics: str) -> Writes:
    counts: Writes = Counter()
    for found in _REQUESTS.finditer(metrics):
        labels = dict(_LABEL.findall(found["labels"]))
        if labels.get("group") == "hotdesk.dev" and labels["verb"] in _WRITES:
            resource = "/".join(part for part in (labels["resource"], labels["subresource"]) if part)
            counts[resource, labels["verb"]] += int(float(found["count"]))
    return counts
