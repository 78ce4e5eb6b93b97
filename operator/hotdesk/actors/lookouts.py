"""Who looks where: one observer for the pools of a region and credentials, one reader a queue, one asker."""

import asyncio

from hotdesk.actors.announcing import Announcing, FindHome
from hotdesk.actors.attending import Attending
from hotdesk.actors.observer import Observer
from hotdesk.actors.pool_actor import PoolActor
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import Aws, MachinePool
from hotdesk.ports import Fleet

FleetKey = tuple[str, str | None, str | None]


class Lookouts:
    """Makes observers when they are first needed."""

    def __init__(self, world: World, find_home: FindHome) -> None:
        self._world = world
        self._announcing = Announcing(world, find_home)
        self._observers: dict[FleetKey, Observer] = {}
        self._attending = Attending(world.signals, world.clock, world.pace) if world.signals is not None else None
        self._is_attending = False
        self._looking: list[asyncio.Task[None]] = []

    def prepare(self, pool: MachinePool) -> None:
        """Be ready to look at a pool's AWS, without looking: it may have to be taken over at any moment."""
        self._fleet(pool.spec.aws)

    def look(self, actor: PoolActor, pool: MachinePool) -> None:
        """Have the pool's AWS looked at for the actor: at once, and from now on."""
        self.look_away(actor)
        self.listen(actor, pool)
        self._attend(actor)
        actor.watcher = self._observer(pool.spec.aws)
        actor.watcher.watch(actor)

    def listen(self, actor: PoolActor, pool: MachinePool) -> None:
        """Have the pool's queue of interruptions read for the actor, as its spec says now."""
        self._announcing.listen(actor, pool)

    def look_away(self, actor: PoolActor) -> None:
        """Have nothing looked at for the actor any more, and no queue read."""
        self._announcing.ignore(actor)
        if self._attending is not None:
            self._attending.leave(actor)
        if actor.watcher is not None:
            actor.watcher.unwatch(actor)
            actor.watcher = None

    async def stop(self) -> None:
        """Look at nothing any more."""
        await self._announcing.stop()
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)

    def _attend(self, actor: PoolActor) -> None:
        if self._attending is None:
            return
        if not self._is_attending:
            self._is_attending = True
            self._looking.append(asyncio.get_running_loop().create_task(self._attending.run(), name="attend"))
        self._attending.attend(actor)

    def _observer(self, aws: Aws) -> Observer:
        key = (aws.region, aws.endpoint_url, aws.role_arn)
        observer = self._observers.get(key)
        if observer is None:
            observer = self._observers[key] = Observer(self._fleet(aws), self._world)
            self._looking.append(asyncio.get_running_loop().create_task(observer.run(), name=f"look {aws.region}"))
        return observer

    def _fleet(self, aws: Aws) -> Fleet:
        return self._world.fleets.fleet(region=aws.region, endpoint_url=aws.endpoint_url, role_arn=aws.role_arn)
