"""A replica acts only for pools whose Lease it holds: judged as it sends, by the Leases that the API server has."""

from collections.abc import Callable

from simworld.network import Call
from simworld.process import Process
from simworld.world import SimWorld

_LEASES = "leases"


class FenceLaw:
    """Looks at every write as it leaves a process. A world whose operators ask for no Lease has no such law."""

    def __init__(self, world: SimWorld, breach: Callable[[int | str, str], None]) -> None:
        self._world = world
        self._breach = breach
        if world.shares:
            world.server.network.on_send = world.line.network.on_send = self._sent

    def _sent(self, process: Process, call: Call) -> None:
        if not call.is_write or call.about.startswith(_LEASES):
            return
        pools = self._pools_of(call)
        holders = {self._holder(pool) for pool in pools} - {""}
        if holders and not any(holder.startswith(f"{process.name}_") for holder in holders):
            self._breach("of Leases", f"{process.name} sends {call} for {pools}, which {holders} hold")

    def _pools_of(self, call: Call) -> set[str]:
        """Return whose pool a call is about; several where they share a group, none where it does not say."""
        server = self._world.server
        kind, _, name = call.about.partition(" ")
        match kind.partition("/")[0]:
            case "machinepools":
                return {name}
            case "machines" if (machine := server.get("machines", name)) is not None:
                return {machine["spec"]["pool"]}
            case "workspaces":
                namespace, _, name = name.partition("/")
                workspace = server.get("workspaces", name, namespace=namespace)
                return {workspace["spec"]["pool"]} if workspace is not None else set()
        pools = server.objects("machinepools")
        return {p["metadata"]["name"] for p in pools if p["spec"]["aws"]["autoScalingGroupName"] == kind}

    def _holder(self, pool: str) -> str:
        lease = self._world.server.get("leases", f"pool-{pool}", namespace=self._world.lease_namespace)
        return str(lease["spec"].get("holderIdentity") or "") if lease is not None else ""
