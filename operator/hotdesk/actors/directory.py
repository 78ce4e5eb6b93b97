"""All pools: which news belongs to which actor, who looks at which AWS, and what a watch stream has missed."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hotdesk.actors.lookouts import Lookouts
from hotdesk.actors.pool_actor import PoolActor
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import Machine, MachinePool, Workspace
from hotdesk.core.eligibility import Surroundings
from hotdesk.core.rivals import rivals_of

log = logging.getLogger(__name__)

Thing = TypeVar("Thing", Workspace, Machine, MachinePool)


class Directory:
    """Routes news to the pools' actors, which it starts when they are first named.

    A pool that does not exist has an actor too, as long as a workspace or a machine names it: somebody must say so.
    Every actor hears the news; only those of pools that were taken act and have AWS looked at.
    """

    def __init__(self, world: World) -> None:
        self.pools_changed: Callable[[], None] = lambda: None  # called when a pool is first named, or no more
        self._world = world
        self._actors: dict[str, PoolActor] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lookouts = Lookouts(world, self._home_of)
        self._pools: dict[str, MachinePool] = {}
        self._surroundings = Surroundings()
        self._takes_all = False

    # -- news -------------------------------------------------------------------------------------------------------

    def upsert(self, thing: Workspace | Machine | MachinePool) -> None:
        """Take in an object as it is now."""
        match thing:
            case Workspace():
                self._actor(thing.spec.pool).upsert_workspace(thing)
            case Machine():
                self._actor(thing.spec.pool).upsert_machine(thing)
            case MachinePool():
                self._upsert_pool(thing)

    def knows(self, body: Mapping[str, Any]) -> bool:
        """Tell whether a workspace or machine, as stored, came in before in this state or a later one.

        Most changes are our own, and their answers come in before the watch echoes them: an echo is worth no reading.
        """
        match body:
            case {
                "metadata": {"uid": str(uid), "name": str(name), "resourceVersion": str(version)},
                "spec": {"pool": pool},
            }:
                actor = self._actors.get(pool)
                return actor is not None and actor.facts.knows(uid=uid, name=name, version=version)
            case _:
                return False

    def delete(self, thing: Workspace | Machine | MachinePool) -> None:
        """Take in that an object is gone."""
        match thing:
            case Workspace():
                self._remove_workspace(thing.metadata.uid)
            case Machine():
                self._remove_machine(thing.metadata.name)
            case MachinePool():
                self._remove_pool(thing.metadata.name)

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """Take in a namespace's labels; None when it is gone."""
        self._surround(self._surroundings.with_namespace(name, labels))

    def set_priority(self, name: str, value: int | None, *, is_default: bool = False) -> None:
        """Take in a PriorityClass's value; None when it is gone."""
        self._surround(self._surroundings.with_priority(name, value, is_default=is_default))

    async def resync(self) -> None:
        """List everything and compare: what a watch stream missed comes in, and what it never saw vanish goes.

        Only what was known before the list began can be a ghost; what came meanwhile is not in it.
        """
        known = {(kind, key) for kind, keys in self._known().items() for key in keys}
        store = self._world.store
        namespaces, priorities = await store.list_namespace_labels(), await store.list_priorities()
        self._surround(replace(self._surroundings, namespaces=namespaces, priorities=priorities))
        actors = self._actors.values()
        held = {made.metadata.uid: made for actor in actors for made in actor.facts.machines.values()}
        served = {uid: workspace for actor in actors for uid, workspace in actor.facts.workspaces.items()}
        pools = self._take_in(await store.list_pools())
        machines = self._take_in(await store.list_machines(held))
        workspaces = self._take_in(await store.list_workspaces(served))
        listed = {("pool", pool.metadata.name) for pool in pools}
        listed |= {("machine", machine.metadata.name) for machine in machines}
        listed |= {("workspace", workspace.metadata.uid) for workspace in workspaces}
        for kind, key in sorted(known - listed):
            self._remove_ghost(kind, key)
        for name in tuple(self._actors):
            self._retire(name)  # some were busy when the last news of them came

    def _take_in(self, things: Sequence[Thing]) -> Sequence[Thing]:
        """Take in a list at once: later, it would bring back what was deleted meanwhile."""
        for thing in things:
            self.upsert(thing)
        return things

    # -- life -------------------------------------------------------------------------------------------------------

    @property
    def pools(self) -> frozenset[str]:
        """Every pool that anything names."""
        return frozenset(self._actors)

    @property
    def workspaces(self) -> frozenset[str]:
        """The UIDs of every workspace that is known."""
        return frozenset(self._known()["workspace"])

    @property
    def taken(self) -> frozenset[str]:
        """The pools that this process acts for."""
        return frozenset(self._tasks)

    @property
    def busy(self) -> frozenset[str]:
        """The pools with work under way."""
        return frozenset(name for name, actor in self._actors.items() if actor.is_busy)

    @property
    def under_way(self) -> Mapping[str, tuple[str, ...]]:
        """What is under way in each pool, for people."""
        return {name: actor.under_way for name, actor in self._actors.items() if actor.is_busy}

    def start(self) -> None:
        """Act for every pool, now and later, without asking anybody."""
        self._takes_all = True
        for name in self._actors:
            self.take(name)

    def take(self, name: str) -> None:
        """Act for a pool from now on; it must be at rest. One that nothing names any more is left alone."""
        actor = self._actors.get(name)
        if actor is None or name in self._tasks:
            return
        actor.begin()
        self._tasks[name] = asyncio.get_running_loop().create_task(actor.run(), name=f"pool {name}")
        if name in self._pools:
            self._lookouts.look(actor, self._pools[name])
        self._world.metrics.pool_owned(pool=name)

    async def let_go(self, name: str) -> None:
        """Act for a pool no more: nothing is planned from now on; return when what was under way has ended."""
        actor = self._actors.get(name)
        if actor is None:
            return
        self._halt(actor)
        await actor.rest()

    def nudge(self) -> None:
        """Have every pool think again: what kept this process from acting is over."""
        for actor in self._actors.values():
            actor.nudge()

    async def stop(self) -> None:
        """Plan nothing more, and wait for the writes under way."""
        await asyncio.gather(*(self.let_go(name) for name in self._actors))
        await self._lookouts.stop()

    # -- the inside -------------------------------------------------------------------------------------------------

    def _actor(self, name: str) -> PoolActor:
        actor = self._actors.get(name)
        if actor is None:
            actor = self._actors[name] = PoolActor(name, self._world)
            actor.set_surroundings(self._surroundings)
            self.pools_changed()
            if self._takes_all:
                self.take(name)
        return actor

    def _home_of(self, machine: str) -> PoolActor | None:
        return next((actor for actor in self._actors.values() if machine in actor.facts.machines), None)

    def _halt(self, actor: PoolActor) -> None:
        task = self._tasks.pop(actor.name, None)
        if task is not None:
            task.cancel()
            self._world.metrics.pool_left(pool=actor.name)
        self._lookouts.look_away(actor)

    def _upsert_pool(self, pool: MachinePool) -> None:
        name = pool.metadata.name
        before = self._pools.get(name)
        self._pools[name] = pool
        actor = self._actor(name)
        actor.set_pool(pool)
        if before is None or before.spec.aws != pool.spec.aws:
            self._lookouts.prepare(pool)
            if name in self._tasks:
                self._lookouts.look(actor, pool)
            self._find_rivals()
        elif name in self._tasks:
            self._lookouts.listen(actor, pool)  # not while it is paused

    def _remove_pool(self, name: str) -> None:
        pool = self._pools.pop(name, None)
        if pool is None:
            return
        actor = self._actors[name]
        self._lookouts.look_away(actor)
        actor.set_pool(None)
        self._world.metrics.pool_removed(pool=name)
        self._find_rivals()
        self._retire(name)

    def _remove_workspace(self, uid: str) -> None:
        for home in [actor.name for actor in self._actors.values() if uid in actor.facts.workspaces]:
            self._actors[home].remove_workspace(uid)
            self._retire(home)

    def _remove_machine(self, name: str) -> None:
        for home in [actor.name for actor in self._actors.values() if name in actor.facts.machines]:
            self._actors[home].remove_machine(name)
            self._retire(home)

    def _retire(self, name: str) -> None:
        """End the actor of a pool that nothing names any more."""
        # The answer to a write may tell the actor that its pool is gone before the news of it comes here.
        if name in self._actors and name not in self._pools and self._actors[name].is_idle:
            self._halt(self._actors.pop(name))
            self.pools_changed()

    def _find_rivals(self) -> None:
        """Tell every pool whether an older one manages its group: the older one goes on, the later one is stopped."""
        for name, rival in rivals_of(self._pools.values()).items():
            self._actors[name].set_surroundings(replace(self._surroundings, rival=rival))

    def _surround(self, surroundings: Surroundings) -> None:
        if surroundings == self._surroundings:
            return
        self._surroundings = surroundings
        for actor in self._actors.values():
            actor.set_surroundings(replace(surroundings, rival=actor.facts.surroundings.rival))

    def _known(self) -> dict[str, set[str]]:
        actors = self._actors.values()
        return {
            "pool": set(self._pools),
            "machine": {name for actor in actors for name in actor.facts.machines},
            "workspace": {uid for actor in actors for uid in actor.facts.workspaces},
        }

    def _remove_ghost(self, kind: str, key: str) -> None:
        log.info("gone from the list before any event said so", extra={"kind": kind, "key": key})
        match kind:
            case "pool":
                self._remove_pool(key)
            case "machine":
                self._remove_machine(key)
            case _:
                self._remove_workspace(key)
