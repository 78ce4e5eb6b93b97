"""Operators that share the pools of a desk by Leases, with their own watch of them, at a tenth of the real times."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from component.desk import Desk, Operator, _pace
from hotdesk.actors.gate import LeaseGate
from hotdesk.actors.membership import Membership
from hotdesk.actors.relisting import Replays
from hotdesk.actors.sharing import Sharing
from hotdesk.adapters.kube.leases import KubeLeases, watch_leases
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.core.sharing import Terms

NAMESPACE = "default"
POOLS = ("pool", "second", "third", "fourth")
TERMS = Terms(
    lease=timedelta(seconds=1.5),
    deadline=timedelta(seconds=1),
    renew=timedelta(seconds=0.2),
    attempt=timedelta(seconds=0.3),
    settle=timedelta(seconds=0.3),
    patience=timedelta(seconds=0.5),
    calm=timedelta(seconds=2),
)


class Replica(Operator):
    """One of several operators."""

    def __init__(self, desk: Desk, name: str, *, replays: Replays | None = None) -> None:
        super().__init__(desk, _pace(), gate=LeaseGate(desk.clock, deadline=TERMS.deadline))
        self.name = name
        self._lease_session = KubeSession(desk.server.connection, connections=4)
        leases = KubeLeases(self._lease_session, namespace=NAMESPACE)
        self.membership = Membership(
            leases, replica=name, gate=self.gate, clock=desk.clock, metrics=self.metrics, terms=TERMS
        )
        self.sharing = Sharing(
            self.directory,
            leases,
            self.membership,
            gate=self.gate,
            clock=desk.clock,
            terms=TERMS,
            replays=replays,
        )
        self._watch = watch_leases(
            desk.server.connection,
            namespace=NAMESPACE,
            upsert=self.sharing.upsert,
            delete=self.sharing.delete,
            relisted=self.sharing.relisted,
        )
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def acting(self) -> asyncio.Task[None]:
        """The task that ends when the replica can no longer take part."""
        return self.tasks[0]

    async def start(self) -> None:
        await self.directory.resync()
        self.tasks = [asyncio.create_task(self.sharing.run()), asyncio.create_task(self._watch.run())]

    async def leave(self) -> None:
        """End in good order, as after SIGTERM."""
        await self.sharing.leave()
        await self.directory.stop()
        await self.kill()

    async def kill(self) -> None:
        tasks = [*self.tasks, *self.sharing.work._working.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await super().kill()
        await self._lease_session.close()


async def replica(desk: Desk, name: str) -> Replica:
    """Start a replica and return when it has joined the others."""
    made = Replica(desk, name)
    desk._operators.append(made)
    await made.start()
    await desk.until(lambda: made.sharing.trouble is None, what=f"{name} has joined")
    return made


async def with_idle_machines(desk: Desk) -> Replica:
    """Start one replica with a pool, and return it when the pool has its two idle machines."""
    desk.add_pool()
    made = await replica(desk, "a")
    await desk.until_idle(2)
    return made


def add_pools(desk: Desk) -> None:
    """Add four pools, each with a group of its own and one idle machine."""
    for name in POOLS:
        desk.add_pool(name, group="desk" if name == "pool" else name, idle=1)


async def until_shared(desk: Desk, *replicas: Replica, pools: Iterable[str]) -> None:
    """Return when every pool is acted for by exactly one of the replicas, and all have their share."""
    wanted = sorted(pools)

    def shared() -> bool:
        counts = [len(one.directory.taken) for one in replicas]
        return taken(*replicas) == wanted and max(counts) - min(counts) <= 1

    await desk.until(shared, what=f"{wanted} are shared by {[one.name for one in replicas]}")


def taken(*replicas: Replica) -> list[str]:
    """Return the pools that these replicas act for, one that two act for twice."""
    return sorted(pool for one in replicas for pool in one.directory.taken)


def owner_of(pool: str, *replicas: Replica) -> Replica:
    """Return the one that acts for a pool."""
    (found,) = (one for one in replicas if pool in one.directory.taken)
    return found


def leases(desk: Desk) -> dict[str, str]:
    """Return the holder of every Lease, by its name."""
    return {
        found["metadata"]["name"]: found["spec"].get("holderIdentity", "") for found in desk.server.objects("leases")
    }
