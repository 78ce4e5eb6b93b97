"""Carrying actions out: one task each, one per key, with back-off for what fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, assert_never

from hotdesk.actors.adopting import Adopting
from hotdesk.actors.backoff import LONGEST, Backoff
from hotdesk.actors.changing import Changes
from hotdesk.actors.claiming import Claiming
from hotdesk.actors.keeping import Keeping
from hotdesk.actors.recording import MachineRecords, PoolRecord
from hotdesk.actors.resting import Resting
from hotdesk.actors.stats import ClaimLog
from hotdesk.actors.troubles import Troubles
from hotdesk.actors.world import World
from hotdesk.core.actions import (
    AccountFor,
    Action,
    AdoptInstance,
    ArchiveMachine,
    BackUp,
    CheckClaims,
    CheckSeat,
    ClaimSlots,
    CondemnInstance,
    DeleteLeftover,
    DetachMachines,
    FindFiles,
    FinishStop,
    ForgetMachine,
    GiveUpStart,
    GuardInstance,
    HoldPool,
    LetPoolGo,
    ProbeMachine,
    ProtectMembers,
    PublishFound,
    ReapMachine,
    RecordUse,
    RegisterMachine,
    RepairGroup,
    ReportMachine,
    ReportPool,
    ReportWorkspace,
    Restore,
    SetDesired,
    SetMaxSize,
    SettleOwed,
    StartInstance,
    StopInstance,
    StopMachine,
    TagMachines,
    TerminateInstance,
    TerminateMember,
    WakeMachine,
)
from hotdesk.core.keys import Key
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.ports import Conflict, Fenced, HotdeskError

log = logging.getLogger(__name__)

SHOWS_IN_AWS = (  # what is worth another look at once
    SetDesired,
    SetMaxSize,
    RepairGroup,
    ProtectMembers,
    DetachMachines,
    TerminateMember,
    TerminateInstance,
    StopInstance,
    StartInstance,
)
_GIVING_WAY = 1.0  # seconds between two writes that can wait, while claims are made
_CLAIMS_ARE_MADE = 0.5  # seconds after a claim for which more are expected
_CLAIM_AGAIN = 2.0  # seconds at most until claims are tried again: people wait for them
_IN_BACKGROUND = (ReportWorkspace, RegisterMachine, ReportMachine, ForgetMachine, ReportPool)
_OF_ONE_MACHINE = (StopInstance, StartInstance, GuardInstance, TerminateMember, TerminateInstance, DeleteLeftover)
_OF_FILES = (BackUp, Restore, FindFiles)
# How many of a kind are under way at once; claims have no such limit, and go first on the wire. What waits its turn was
# not begun: a pool that changes hands drops it, instead of waiting until AWS's request quotas let it all through.
_AT_ONCE = ((_IN_BACKGROUND, 4), (_OF_ONE_MACHINE, 8), (_OF_FILES, 8))


class Effects:
    """Starts actions and takes what they bring into the facts. `changed` is called whenever one has ended."""

    def __init__(
        self, facts: PoolFacts, world: World, *, changed: Callable[[], None], aws_changed: Callable[[], None]
    ) -> None:
        self.claims = ClaimLog()
        self.claiming = Claiming(facts, world, self.claims)
        self.resting = Resting(facts, world, report=self.claiming.report)
        self.keeping = Keeping(facts, world, report=self.claiming.report)
        self.machines = MachineRecords(facts, world)
        self.adopting = Adopting(facts, world)
        self.pool = PoolRecord(facts, world)
        self.changes = Changes(facts, world, self.pool)
        self.troubles = Troubles()
        self.ready: set[str] = set()  # booting machines whose probe succeeded
        self._facts = facts
        self._world = world
        self._backoff = Backoff(world.clock)
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._probing: set[asyncio.Task[None]] = set()
        self._turns = tuple((kinds, asyncio.Semaphore(number)) for kinds, number in _AT_ONCE)
        self._queued: set[asyncio.Task[Any] | None] = set()  # those that wait for their turn
        self._claimed = float("-inf")  # monotonic seconds of the latest claim
        self._gave_way = float("-inf")  # monotonic seconds of the latest write that could have waited
        self._changed = changed
        self._aws_changed = aws_changed

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._running)

    @property
    def under_way(self) -> tuple[str, ...]:
        """What is under way, for people."""
        return tuple(sorted(" ".join(str(part) for part in key) for key in self._running))

    def may_claim(self) -> bool:
        """Tell whether claims may be planned: not while the API server refuses them all."""
        return not self._backoff.holds((ClaimSlots.__name__,))

    def start(self, action: Action) -> None:
        """Start an action, unless one with its key is under way or it must still wait; it is planned again then."""
        if isinstance(action, ClaimSlots):
            self._claimed = self._world.clock.monotonic()
            self._spawn(("claim", *action.key), action)
        elif action.key in self._running or self._backoff.holds(_patience_key(action)) or self._gives_way(action):
            return
        else:
            self._spawn(action.key, action)

    async def drain(self) -> None:
        """Wait until everything under way has ended; what has changed nothing yet is broken off."""
        while self._running:
            for task in (*self._probing, *self._queued):
                if task is not None:
                    task.cancel()
            await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)

    def _spawn(self, key: Key, action: Action) -> None:
        task = asyncio.get_running_loop().create_task(self._run(action))
        self._running[key] = task
        if isinstance(action, ProbeMachine):
            self._probing.add(task)
            task.add_done_callback(self._probing.discard)
        task.add_done_callback(lambda _: self._ended(key))

    def _ended(self, key: Key) -> None:
        self._running.pop(key, None)
        self._changed()

    async def _run(self, action: Action) -> None:
        kind, began = type(action).__name__, self._world.clock.monotonic()
        try:
            async with self._turn(action):
                settled = self._is_outdated(action) or await self._execute(action)
        except Fenced:
            pass  # nothing is wrong with it; it is planned again as soon as this process may act
        except Conflict:
            self._failed(action, began)  # the facts were behind; they have been read anew
        except HotdeskError as error:
            wait = self._failed(action, began)
            self.troubles.note(kind, error)
            log.warning("%s failed: %s", kind, error, extra={"pool": self._facts.name, "again_in": wait})
        except Exception:
            self._failed(action, began, at_least=1.0)
            log.exception("%s failed", kind, extra={"pool": self._facts.name})
        else:
            self.troubles.clear(kind)
            if settled:
                self._backoff.succeeded(_patience_key(action))
            else:
                self._failed(action, began)
        if isinstance(action, SHOWS_IN_AWS):
            self._aws_changed()

    def _failed(self, action: Action, began: float, *, at_least: float = 0.0) -> float:
        longest = _CLAIM_AGAIN if isinstance(action, ClaimSlots) else LONGEST
        return self._backoff.failed(_patience_key(action), began=began, at_least=at_least, at_most=longest)

    @asynccontextmanager
    async def _turn(self, action: Action) -> AsyncIterator[None]:
        """Wait until an action's turn has come, where only so many of its kind may be under way."""
        turns = next((turns for kinds, turns in self._turns if isinstance(action, kinds)), None)
        if turns is None:
            yield
            return
        waiting = asyncio.current_task()
        self._queued.add(waiting)
        try:
            await turns.acquire()
        finally:
            self._queued.discard(waiting)
        try:
            yield
        finally:
            turns.release()

    async def _execute(self, action: Action) -> bool:  # noqa: C901, PLR0912, PLR0915  # one case an action, checked for completeness
        """Carry out one action; False says that it settled nothing and should not be repeated at once."""
        match action:
            case ClaimSlots():
                await self.claiming.claim(action)
            case PublishFound():
                await self.claiming.publish_found(action)
            case CheckClaims():
                return await self.claiming.check_claims(action)
            case CheckSeat():
                await self.claiming.check_seat(action)
                return False
            case ReportWorkspace():
                await self.claiming.report(action.workspace, action.status)
            case RegisterMachine():
                await self.machines.register(action)
            case ReportMachine():
                await self.machines.report(action)
                self.ready.discard(action.machine.metadata.name)
            case ReapMachine():
                await self.machines.reap(action)
            case AdoptInstance() | CondemnInstance():
                return await self.adopting.carry_out(action)
            case ForgetMachine():
                await self.machines.forget(action)
            case ProbeMachine():
                await self._probe(action)
            case ReportPool():
                await self.pool.report(action.pool, action.status)
            case HoldPool():
                await self.pool.hold()
            case LetPoolGo():
                await self.pool.let_go()
            case SetDesired() | SetMaxSize():
                await self.changes.capacity(action)
            case RepairGroup():
                await self.changes.repair(action)
            case ProtectMembers():
                await self.changes.protect(action)
            case TagMachines():
                await self.changes.tag(action)
            case DetachMachines():
                await self.changes.detach(action)
            case TerminateMember() | TerminateInstance():
                await self.changes.terminate(action)
            case StopInstance():
                await self.changes.stop(action)
            case StartInstance():
                await self.changes.start(action)
            case GuardInstance():
                await self.changes.guard(action)
            case DeleteLeftover():
                await self.changes.delete(action)
            case StopMachine() | FinishStop() | WakeMachine() | GiveUpStart() | ArchiveMachine() | SettleOwed():
                return await self.resting.carry_out(action)
            case RecordUse() | AccountFor():
                return await self.resting.carry_out(action)
            case BackUp() | Restore() | FindFiles():
                return await self.keeping.carry_out(action)
            case _:
                assert_never(action)
        return True

    def _gives_way(self, action: Action) -> bool:
        """Tell whether an action waits because people are being served; now and then one is let through."""
        now = self._world.clock.monotonic()
        are_made = self._facts.serving or now - self._claimed < _CLAIMS_ARE_MADE
        if self._facts.waiting or not are_made or not self._can_wait(action):
            return False
        if now - self._gave_way < _GIVING_WAY:
            return True
        self._gave_way = now
        return False

    def _can_wait(self, action: Action) -> bool:
        """Tell whether a write keeps nobody from a machine."""
        match action:
            case ReportMachine(status=status):
                return status.phase != "Idle"
            case RegisterMachine(name=name):
                member = self._facts.members.get(name)
                return member is not None and member.lifecycle != "InService"
            case ForgetMachine() | ReportPool():
                return True
            case _:
                return False

    def _is_outdated(self, action: Action) -> bool:
        """Tell whether what a report was planned from has changed while it waited its turn; it is planned anew."""
        match action:
            case ReportWorkspace(workspace=workspace):
                uid = workspace.metadata.uid
                return uid in self._facts.serving or self._facts.workspaces.get(uid) is not workspace
            case ReportMachine(machine=machine):
                return self._facts.machines.get(machine.metadata.name) is not machine
            case _:
                return False

    async def _probe(self, action: ProbeMachine) -> None:
        if await self._world.prober.is_ready(ip=action.ip, readiness=action.readiness):
            self.ready.add(action.name)


def _patience_key(action: Action) -> Key:
    """Return the key under which failures of an action are counted; all claims of a pool share one."""
    kind = type(action).__name__
    return (kind,) if isinstance(action, ClaimSlots) else (kind, *action.key)
