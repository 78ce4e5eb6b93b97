"""Changing AWS: capacity under its record, set-up, protection, tags, detaches and terminations."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from hotdesk.actors.recording import PoolRecord
from hotdesk.actors.rereading import Rereader
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import CapacityCall, Machine
from hotdesk.core.actions import (
    DeleteLeftover,
    DetachMachines,
    GuardInstance,
    ProtectMembers,
    RepairGroup,
    SetDesired,
    SetMaxSize,
    StartInstance,
    StopInstance,
    TagMachines,
    TerminateInstance,
    TerminateMember,
)
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.ports import Conflict, Fleet, HotdeskError, InsufficientCapacity, NotFound, Refused, Unanswered

log = logging.getLogger(__name__)

_ANSWERED_KEPT = 16  # an earlier record may still stand in the pool's status while later ones fail to be written


@dataclass(slots=True)
class Changes:
    """Carries out what was decided about AWS; each method is one call, and raises what the Fleet raises."""

    facts: PoolFacts
    world: World
    record: PoolRecord
    answered: deque[CapacityCall] = field(default_factory=lambda: deque(maxlen=_ANSWERED_KEPT))
    """Our recorded calls that AWS has answered, or that were never sent."""

    async def capacity(self, action: SetDesired | SetMaxSize) -> None:
        """Send one capacity call. A raising one is recorded first: whoever comes next must know it may be on its way.

        The record is a compare-and-swap, so that of two operators only one can have a raising call under way.
        """
        record = CapacityCall(
            sent_at=self.world.clock.now(),
            desired=action.desired if isinstance(action, SetDesired) else None,
            max_size=action.max_size if isinstance(action, SetMaxSize) else None,
        )
        if action.raises:
            try:
                await self.record.record_call(record)
            except HotdeskError:
                self.answered.append(record)  # written or not: the call it speaks of is not sent
                raise
        try:
            await self._send(action)
        except Unanswered:
            self.facts.capacity_answered(at=self.world.clock.monotonic())  # looks from before now say nothing any more
            raise
        except Exception:
            self._note_answer(record, raises=action.raises)
            raise
        self._note_answer(record, raises=action.raises)
        self.facts.capacity_answered(at=self.world.clock.monotonic(), desired=record.desired, max_size=record.max_size)
        log.info("capacity set", extra={"group": self.group, "desired": record.desired, "max": record.max_size})

    async def settle(self) -> None:
        """Clear the record of a call that was answered: to whoever comes next it would seem to be on its way."""
        call = self.facts.pool.status.capacity_call if self.facts.pool is not None else None
        if call is None or call not in self.answered:
            return
        with suppress(HotdeskError):  # it costs the next one some minutes in which it only lowers
            await self.record.record_call(None)

    async def repair(self, action: RepairGroup) -> None:
        """Put the group's settings right."""
        with self._acting((self.group,)):
            if action.configure:
                await self.fleet.configure_group(group=self.group)
            if action.suspend:
                await self.fleet.suspend_processes(group=self.group, processes=action.suspend)
            if action.tags:
                await self.fleet.tag_group(group=self.group, tags=dict(action.tags))
        log.info("group repaired", extra={"group": self.group})

    async def protect(self, action: ProtectMembers) -> None:
        """Protect members from scale-in."""
        with self._acting(action.ids):
            await self.fleet.protect(group=self.group, ids=action.ids)

    async def tag(self, action: TagMachines) -> None:
        """Write claims into tags."""
        tags = dict(action.tags)
        await self.fleet.tag_instances(ids=action.ids, tags=tags)
        self.facts.tagged(action.ids, tags)

    async def detach(self, action: DetachMachines) -> None:
        """Take claimed machines out of the group's reach."""
        with self._acting(action.ids):
            await self.fleet.detach(group=self.group, ids=action.ids)
        log.info("machines detached", extra={"group": self.group, "machines": list(action.ids)})

    async def terminate(self, action: TerminateMember | TerminateInstance) -> None:
        """End one reaped machine. Its record is asked for once more: `reap` must really be set."""
        machine = await self.world.store.fetch_machine(name=action.name)
        if machine is None or machine.spec.reap is None or machine.spec.owed or machine.spec.pool != self.facts.name:
            return
        with self._acting((action.name,)):
            match action:
                case TerminateMember():
                    await self.fleet.terminate_member(id=action.name)
                case TerminateInstance():
                    await self.fleet.terminate_instance(id=action.name)
        log.info("termination requested", extra={"machine": action.name, "pool": self.facts.name})

    async def stop(self, action: StopInstance) -> None:
        """Stop one machine. Its record is asked for once more: the decision must stand, past turning back."""
        machine = await self.world.store.fetch_machine(name=action.name)
        if machine is None or machine.spec.pool != self.facts.name or not _may_be_stopped(machine):
            return
        with self._acting((action.name,)):
            await self.fleet.stop_instance(id=action.name)
        log.info("stop requested", extra={"machine": action.name, "pool": self.facts.name})

    async def start(self, action: StartInstance) -> None:
        """Start one machine, and note it if AWS has no room for it."""
        try:
            with self._acting((action.name,)):
                await self.fleet.start_instance(id=action.name)
        except InsufficientCapacity:
            self.facts.life.without_room.add(action.name)
            raise
        self.facts.life.without_room.discard(action.name)
        log.info("start requested", extra={"machine": action.name, "pool": self.facts.name})

    async def guard(self, action: GuardInstance) -> None:
        """Switch stop protection, and note it on the record; what was not noted is done again."""
        machine = action.machine
        await self.fleet.protect_from_stop(id=machine.metadata.name, protect=action.protect)
        status = machine.status.model_copy(update={"stop_protected": action.protect})
        try:
            self.facts.upsert_machine(await self.world.store.patch_machine_status(machine, status))
        except (Conflict, NotFound, Refused, Unanswered) as doubt:
            await Rereader(self.facts, self.world.store).machine(machine.metadata.name, because=doubt)

    async def delete(self, action: DeleteLeftover) -> None:
        """Delete a volume or a snapshot that nobody uses; AWS refuses what was attached meanwhile."""
        await self.fleet.delete_leftover(id=action.id)
        self.facts.deleted_leftover(action.id)
        log.info("leftover deleted", extra={"leftover": action.id, "pool": self.facts.name})

    @property
    def group(self) -> str:
        """The name of the pool's group."""
        if self.facts.pool is None:
            raise NotFound(f"MachinePool {self.facts.name} does not exist.")
        return self.facts.pool.spec.aws.auto_scaling_group_name

    @property
    def fleet(self) -> Fleet:
        """The AWS that the pool lives in."""
        if self.facts.pool is None:
            raise NotFound(f"MachinePool {self.facts.name} does not exist.")
        aws = self.facts.pool.spec.aws
        return self.world.fleets.fleet(region=aws.region, endpoint_url=aws.endpoint_url, role_arn=aws.role_arn)

    @contextmanager
    def _acting(self, ids: Iterable[str]) -> Iterator[None]:
        """Note when a call about these instances ended, however it did: only a later look shows what it has done."""
        try:
            yield
        finally:
            self.facts.acted(ids, at=self.world.clock.monotonic())

    async def _send(self, action: SetDesired | SetMaxSize) -> None:
        match action:
            case SetDesired(desired=desired):
                await self.fleet.set_desired_capacity(group=self.group, desired=desired)
            case SetMaxSize(max_size=max_size):
                await self.fleet.set_max_size(group=self.group, max_size=max_size)

    def _note_answer(self, record: CapacityCall, *, raises: bool) -> None:
        if raises:
            self.answered.append(record)


def _may_be_stopped(machine: Machine) -> bool:
    """Tell whether nobody can want this machine to run: its stop is past turning back, or it is given up."""
    stop = machine.spec.stop
    return (stop is not None and stop.final) or (machine.spec.reap is not None and not machine.spec.claims)
