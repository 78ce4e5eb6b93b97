"""Writing the records: Machines as they come, change and go, and what the pool is told."""

import asyncio
import logging
from dataclasses import dataclass, field

from hotdesk.actors.claiming import new_machine
from hotdesk.actors.rereading import Rereader
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import CapacityCall, MachinePool, MachinePoolStatus, Reap
from hotdesk.core.actions import ForgetMachine, ReapMachine, RegisterMachine, ReportMachine
from hotdesk.core.machines import BootRecord
from hotdesk.core.planner import FINALIZER
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.usage import left_behind
from hotdesk.ports import Conflict, NotFound, Refused, Unanswered

log = logging.getLogger(__name__)

DOUBT = (Conflict, NotFound, Refused, Unanswered)


@dataclass(slots=True)
class MachineRecords:
    """Creates, reports, reaps and deletes Machines."""

    facts: PoolFacts
    world: World
    boots: BootRecord = field(default_factory=BootRecord)

    async def register(self, action: RegisterMachine) -> None:
        """Create the record of an instance; that it exists already is as good."""
        record = new_machine(action.name, pool=self.facts.name, zone=action.zone, slots=action.slots)
        try:
            self.facts.upsert_machine(await self.world.store.create_machine(record))
        except DOUBT as doubt:
            await self._reread(action.name, doubt)
        else:
            log.info("machine registered", extra={"machine": action.name, "pool": self.facts.name})

    async def report(self, action: ReportMachine) -> None:
        """Write a machine's status and keep what it says about booting."""
        machine, status = action.machine, action.status
        name = machine.metadata.name
        try:
            written = await self.world.store.patch_machine_status(machine, status)
            self.facts.upsert_machine(written)
            self.world.teller.machine_changed(machine, written)
        except DOUBT as doubt:
            await self._reread(name, doubt)
            return
        if status.phase == machine.status.phase:
            return
        log.info("machine is %s", status.phase.lower(), extra={"machine": name, "pool": self.facts.name})
        if status.phase == "Idle" and status.ready_at is not None and status.launched_at is not None:
            self.boots = self.boots.ready(status.ready_at - status.launched_at)
        if status.phase == "Quarantined":
            self.boots = self.boots.failed(self.world.clock.now())

    async def reap(self, action: ReapMachine) -> None:
        """Decide for good that a machine ends; the compare-and-swap fails if somebody has claimed it meanwhile."""
        machine, now = action.machine, self.world.clock.now()
        name, spec = machine.metadata.name, machine.spec
        used = left_behind(machine, self.facts.instances.get(name), spec.claims, now=now, is_last=True)
        after = {"claims": (), "used": (*spec.used, *used), "reap": Reap(reason=action.reason, at=now)}
        self.facts.begin_claim(name, ())
        try:
            written = await self.world.store.patch_machine_spec(machine, spec.model_copy(update=after))
            self.facts.upsert_machine(written)
            log.info("machine reaped", extra={"machine": name, "reason": action.reason, "pool": self.facts.name})
        except DOUBT as doubt:
            await self._reread(name, doubt)
        finally:
            self.facts.end_claim(name, ())

    async def forget(self, action: ForgetMachine) -> None:
        """Delete the record of a terminated machine."""
        name = action.machine.metadata.name
        try:
            await self.world.store.delete_machine(action.machine)
        except DOUBT as doubt:
            await self._reread(name, doubt)
            return
        self.facts.remove_machine(name)
        log.info("machine terminated", extra={"machine": name, "pool": self.facts.name})

    async def _reread(self, name: str, doubt: Exception) -> None:
        await Rereader(self.facts, self.world.store).machine(name, because=doubt)


class PoolRecord:
    """Writes the pool's status and finalizer, one write at a time."""

    def __init__(self, facts: PoolFacts, world: World) -> None:
        self._facts = facts
        self._world = world
        self._lock = asyncio.Lock()

    async def report(self, pool: MachinePool, status: MachinePoolStatus) -> None:
        """Write the status as it was planned; a capacity call recorded since then makes it a conflict."""
        async with self._lock:
            await self._write(pool, status)

    async def record_call(self, call: CapacityCall | None) -> None:
        """Write that a raising call is under way, or that none is. Raises Conflict if the pool changed meanwhile."""
        async with self._lock:
            pool = self._pool()
            await self._write(pool, pool.status.model_copy(update={"capacity_call": call}))

    async def hold(self) -> None:
        """Add our finalizer."""
        await self._finalize(add=True)

    async def let_go(self) -> None:
        """Remove our finalizer: the pool is gone with it."""
        await self._finalize(add=False)
        log.info("pool deleted", extra={"pool": self._facts.name})

    async def _finalize(self, *, add: bool) -> None:
        async with self._lock:
            pool = self._pool()
            others = [name for name in pool.metadata.finalizers if name != FINALIZER]
            wanted = [*others, FINALIZER] if add else others
            try:
                changed = await self._world.store.patch_pool_finalizers(pool, wanted)
            except DOUBT:
                await self._reread()
                raise
            is_gone = changed.metadata.deletion_timestamp is not None and not changed.metadata.finalizers
            self._facts.set_pool(None if is_gone else changed)

    async def _write(self, pool: MachinePool, status: MachinePoolStatus) -> None:
        try:
            written = await self._world.store.patch_pool_status(pool, status)
            self._facts.set_pool(written)
            self._world.teller.pool_changed(pool, written)
        except DOUBT:
            await self._reread()
            raise

    async def _reread(self) -> None:
        self._facts.set_pool(await self._world.store.fetch_pool(name=self._facts.name))

    def _pool(self) -> MachinePool:
        if self._facts.pool is None:
            raise NotFound(f"MachinePool {self._facts.name} does not exist.")
        return self._facts.pool
