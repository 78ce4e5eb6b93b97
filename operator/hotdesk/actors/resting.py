"""Deciding that machines rest, wake, or go: each a compare-and-swap on the Machine, after a look past every cache."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hotdesk.actors.rereading import Rereader
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import Machine, MachineSpec, Reap, Stop, Workspace, WorkspaceStatus
from hotdesk.core.actions import (
    AccountFor,
    ArchiveMachine,
    FinishStop,
    GiveUpStart,
    RecordUse,
    SettleOwed,
    StopMachine,
    WakeMachine,
)
from hotdesk.core.lifecycle.following import verdict_on
from hotdesk.core.lifecycle.idleness import Due
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.terms import wants_machine
from hotdesk.core.usage import interval_of, usage_after
from hotdesk.ports import Conflict, NotFound, Refused, Unanswered

log = logging.getLogger(__name__)

Report = Callable[[Workspace, WorkspaceStatus], Awaitable[None]]
"""Writes a workspace's status, and reads it anew where the answer leaves a doubt."""
RestAction = StopMachine | FinishStop | WakeMachine | GiveUpStart | ArchiveMachine | SettleOwed | RecordUse | AccountFor
_TICK = timedelta(microseconds=1)
DOUBT = (Conflict, NotFound, Refused, Unanswered)


@dataclass(slots=True)
class Resting:
    """Carries out what was decided about machines at rest.

    The machine's version was read before its workspaces are: a claim that changes meanwhile makes a conflict, and
    what was decided is decided anew.
    """

    facts: PoolFacts
    world: World
    report: Report

    async def carry_out(self, action: RestAction) -> bool:
        """Carry out one decision; False says that it was not to be, and should not be repeated at once."""
        match action:
            case StopMachine():
                return await self._stop(action)
            case FinishStop():
                return await self._finish(action)
            case WakeMachine():
                return await self._swap(action.machine, {"stop": None}, "machine is woken")
            case GiveUpStart():
                stop = Stop(reason="NoCapacity", at=action.stopped_at, final=True)
                return await self._swap(action.machine, {"stop": stop}, "machine cannot be started")
            case ArchiveMachine():
                return await self._archive(action)
            case RecordUse():
                return await self._swap(
                    action.machine, {"used": action.spec.used, "claims": action.spec.claims}, "use ended"
                )
            case AccountFor():
                return await self._account(action)
            case SettleOwed():
                return await self._swap(action.machine, {"owed": ()}, "machine owes nothing any more")

    async def _stop(self, action: StopMachine) -> bool:
        """Decide the stop, if every workspace on the machine, read afresh, is still due for it."""
        machine = action.machine
        for claim in machine.spec.claims if action.reason != "Interrupted" else ():
            fresh = await self._fresh(machine, claim.workspace.uid)
            if fresh is None or not isinstance(verdict_on(self.facts, fresh, now=self.world.clock.now()), Due):
                return False
        stop = Stop(reason=action.reason, at=_after_backups(machine, now=self.world.clock.now()), final=action.final)
        return await self._swap(machine, {"stop": stop}, "machine is to rest")

    async def _finish(self, action: FinishStop) -> bool:
        """Decide that EC2 is told, unless somebody has come back meanwhile."""
        machine, stop = action.machine, action.machine.spec.stop
        if stop is None:
            return False
        for claim in machine.spec.claims:
            fresh = await self._fresh(machine, claim.workspace.uid)
            if fresh is not None and wants_machine(fresh) and fresh.status.stopped_at is not None:
                return False
        return await self._swap(machine, {"stop": stop.model_copy(update={"final": True})}, "machine is stopped")

    async def _archive(self, action: ArchiveMachine) -> bool:
        """Give a machine back, if all its workspaces, read afresh, are archiving: nobody turns back from there."""
        machine = action.machine
        for claim in machine.spec.claims:
            fresh = await self._fresh(machine, claim.workspace.uid)
            if fresh is None or fresh.status.phase != "Archiving":
                return False
        reap = Reap(reason="Archived", at=self.world.clock.now())
        return await self._swap(machine, {"claims": (), "reap": reap}, "machine archived")

    async def _account(self, action: AccountFor) -> bool:
        """Account for time used: the ledger first, then its workspace, then the record; each step may be repeated."""
        machine = action.machine
        for used in action.ended:
            interval = interval_of(machine, used)
            if interval is None:
                continue
            kept = await self.world.ledger.write(interval) if self.world.ledger is not None else interval
            workspace = self.facts.workspaces.get(used.workspace.uid)
            if workspace is not None:
                usage = usage_after(workspace.status.usage, kept)
                await self.report(workspace, workspace.status.model_copy(update={"usage": usage}))
                told = self.facts.workspaces.get(used.workspace.uid)
                if told is not None and told.status.usage != usage:
                    return False  # it changed meanwhile: again, from what it says now
        left = tuple(used for used in machine.spec.used if used not in action.ended)
        return await self._swap(machine, {"used": left}, "use accounted for")

    async def _fresh(self, machine: Machine, uid: str) -> Workspace | None:
        """Read a workspace past every cache; None if it is gone, or does not sit on this machine."""
        known = self.facts.workspaces.get(uid)
        if known is None:
            return None
        fresh = await Rereader(self.facts, self.world.store).workspace(known)
        return fresh if fresh is not None and fresh.status.machine == machine.metadata.name else None

    async def _swap(self, machine: Machine, changes: dict[str, object], what: str) -> bool:
        name = machine.metadata.name
        spec: MachineSpec = machine.spec.model_copy(update=changes)
        self.facts.begin_claim(name, ())
        try:
            self.facts.upsert_machine(await self.world.store.patch_machine_spec(machine, spec))
            log.info(what, extra={"machine": name, "pool": self.facts.name})
        except DOUBT as doubt:
            await Rereader(self.facts, self.world.store).machine(name, because=doubt)
            return False
        finally:
            self.facts.end_claim(name, ())
        return True


def _after_backups(machine: Machine, *, now: datetime) -> datetime:
    """Return the time to write into a new stop: now, but after every earlier backup began.

    A clock that stepped back would otherwise make an old backup look like one that was begun after this stop.
    """
    return max((now, *(saved.began_at + _TICK for saved in machine.status.saved)))
