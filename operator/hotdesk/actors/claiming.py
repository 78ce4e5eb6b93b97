"""The claim path: compare-and-swap on the Machine, then one status patch with everything the user needs."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from hotdesk.actors.rereading import Rereader
from hotdesk.actors.stats import ClaimLog
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import Claim, ClaimedBy, Machine, MachineSpec, Reap, Workspace, WorkspaceStatus
from hotdesk.core import workspace_status
from hotdesk.core.actions import CheckClaims, CheckSeat, ClaimSlots, PublishFound, Seat
from hotdesk.core.lifecycle.keeping import owing
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.usage import claim_time, left_behind
from hotdesk.ports import Conflict, HotdeskError, NotFound, Refused, Unanswered

log = logging.getLogger(__name__)

DOUBT = (Conflict, NotFound, Refused, Unanswered)
"""Answers after which only a fresh read tells how things stand."""


class Claiming:
    """Carries out what was decided about claims.

    Whatever goes wrong, it reads afresh and leaves the rest to the planner: a claim that was made but not published
    is found there and published.
    """

    def __init__(self, facts: PoolFacts, world: World, claims: ClaimLog) -> None:
        self._facts = facts
        self._world = world
        self._log = claims
        self._teller = world.teller
        self._reread = Rereader(facts, world.store)
        self._seen: dict[str, float] = {}  # UID -> when this process first saw the workspace, monotonic seconds
        self._writing: dict[str, asyncio.Task[None]] = {}

    def saw(self, uid: str) -> None:
        """Start the clock for a workspace that arrived."""
        self._seen.setdefault(uid, self._world.clock.monotonic())

    def forget(self, uid: str) -> None:
        """Drop the clock of a workspace that is gone."""
        self._seen.pop(uid, None)

    async def claim(self, action: ClaimSlots) -> None:
        """Claim the slots of one machine in one write, then publish their workspaces."""
        now = self._world.clock.now()
        made = [_claim(seat.workspace, slot=seat.slot, now=now) for seat in action.seats]
        await self._claim_and_publish(action.machine, (*action.machine.spec.claims, *made), action.seats)

    async def publish_found(self, action: PublishFound) -> None:
        """Rewrite a found claim, so that whoever made it can no longer publish from it, then publish it."""
        facts, machine = self._facts, action.machine
        uid = action.workspace.metadata.uid
        if uid in facts.held:  # by the quota, since it was planned
            return
        facts.begin_claim(machine.metadata.name, (uid,))
        anew = action.claim.model_copy(update={"claimed_at": self._world.clock.now()})
        claims = tuple(anew if claim == action.claim else claim for claim in machine.spec.claims)
        seat = Seat(slot=action.claim.slot, workspace=action.workspace, hit=False)
        await self._claim_and_publish(machine, claims, (seat,))

    async def check_claims(self, action: CheckClaims) -> bool:
        """Drop the claims whose workspace is gone or published elsewhere; with the last one the machine is reaped.

        Return whether every doubt was settled.
        The machine's version was read before the workspaces are: a claim that changes meanwhile conflicts.
        """
        machine, name = action.machine, action.machine.metadata.name
        self._facts.begin_claim(name, ())
        try:
            kept = [claim for claim in machine.spec.claims if await self._still_holds(claim, action)]
            if len(kept) == len(machine.spec.claims):
                return all(uid in self._facts.workspaces for uid in action.uids)
            released = await self._world.store.patch_machine_spec(machine, self._without(machine, kept))
            self._facts.upsert_machine(released)
            log.info("machine released", extra={"machine": name, "claims": len(kept)})
        except DOUBT as doubt:
            await self._reread.machine(name, because=doubt)
            return False
        else:
            return True
        finally:
            self._facts.end_claim(name, ())

    async def check_seat(self, action: CheckSeat) -> None:
        """Find out whether a published workspace has lost its claim; restore the claim if the machine lives."""
        workspace, name = action.workspace, action.workspace.status.machine
        if name is None:
            return
        machine = await self._reread.machine(name)
        fresh = await self._reread.workspace(workspace)
        if fresh is None or fresh.status.machine != name or _holds(machine, fresh):
            return
        lives = action.instance is not None and action.instance.state.is_live
        if fresh.status.phase == "Archiving" and (machine is not None or not lives):
            return  # another operator has given the machine back: that is no loss
        if not (lives and await self._restored(fresh, machine, action)):
            log.warning("machine lost", extra={"machine": name, "workspace": _path(fresh)})
            await self.report(fresh, workspace_status.lost(fresh, now=self._world.clock.now()))

    async def report(self, workspace: Workspace, status: WorkspaceStatus) -> None:
        """Write a status that is not a claim's."""
        uid = workspace.metadata.uid
        task = asyncio.current_task()
        if task is not None:
            self._writing[uid] = task
        try:
            written = await self._world.store.patch_workspace_status(workspace, status)
            self._take_in(written)
            self._teller.changed(workspace, written, pool=self._facts.pool)
        except DOUBT as doubt:
            await self._read_again(workspace, doubt)
        finally:
            self._writing.pop(uid, None)

    async def _claim_and_publish(self, machine: Machine, claims: Sequence[Claim], seats: Sequence[Seat]) -> None:
        name = machine.metadata.name
        try:
            claimed = await self._world.store.patch_machine(machine, claims=claims)
            self._facts.upsert_machine(claimed)
            if len(seats) == 1:
                await self._publish(claimed, seats[0])
            else:
                await asyncio.gather(*(self._publish(claimed, seat) for seat in seats))
        except DOUBT as doubt:
            await self._reread.machine(name, because=doubt)
        finally:
            self._facts.end_claim(name, (seat.workspace.metadata.uid for seat in seats))

    async def _publish(self, machine: Machine, seat: Seat) -> None:
        """Publish from the version that was read before the claim: its compare-and-swap says which claim is real."""
        workspace: Workspace | None = seat.workspace
        uid = seat.workspace.metadata.uid
        if (earlier := self._writing.get(uid)) is not None:  # our own report of its place in the queue
            await asyncio.wait((earlier,))
            workspace = self._facts.workspaces.get(uid)
        pool = self._facts.pool
        if workspace is None or pool is None or workspace.status.machine is not None:
            return
        status = workspace_status.bound(
            workspace, machine=machine, slot=seat.slot, pool=pool, now=self._world.clock.now()
        )
        try:
            published = await self._world.store.patch_workspace_status(workspace, status)
        except DOUBT as doubt:
            await self._read_again(workspace, doubt)
            return
        self._take_in(published)
        self._teller.changed(workspace, published, pool=pool)
        self._count(published, seat)

    async def _read_again(self, workspace: Workspace, doubt: Exception) -> None:
        """Read what became of a write; where nobody had answered, it may have been made and is to be told."""
        found = await self._reread.workspace(workspace, because=doubt)
        if found is not None and isinstance(doubt, Unanswered):
            self._teller.changed(workspace, found, pool=self._facts.pool)

    def _take_in(self, written: Workspace) -> None:
        """Take in what our own write made of a workspace, unless its deletion was heard of while we waited."""
        if written.metadata.uid in self._facts.workspaces:
            self._facts.upsert_workspace(written)

    def _count(self, workspace: Workspace, seat: Seat) -> None:
        clock, metrics, pool = self._world.clock, self._world.metrics, self._facts.name
        seconds = clock.monotonic() - self._seen.pop(workspace.metadata.uid, clock.monotonic())
        self._log.record(seconds=seconds, hit=seat.hit)
        metrics.claim_published(pool=pool, seconds=seconds)
        if seat.hit:
            metrics.claim_hit(pool=pool)
        log.info(
            "workspace bound",
            extra={
                "workspace": _path(workspace),
                "machine": workspace.status.machine,
                "slot": seat.slot,
                "milliseconds": round(1000 * seconds, 1),
            },
        )

    def _without(self, machine: Machine, kept: Sequence[Claim]) -> MachineSpec:
        """Return the machine's record without the claims that are not kept; what they leave behind is noted there."""
        now, spec = self._world.clock.now(), machine.spec
        left = [claim for claim in spec.claims if claim not in kept]
        owed = (*spec.owed, *owing(self._facts, left, now=now))
        instance = self._facts.instances.get(machine.metadata.name)
        used = (*spec.used, *left_behind(machine, instance, left, now=now, is_last=not kept))
        reap = None if kept else Reap(reason="Used", at=now)
        return spec.model_copy(update={"claims": tuple(kept), "owed": owed, "used": used, "reap": reap})

    async def _still_holds(self, claim: Claim, action: CheckClaims) -> bool:
        uid, name = claim.workspace.uid, action.machine.metadata.name
        if uid not in action.uids:
            return True
        found = await self._world.store.fetch_workspace(namespace=claim.workspace.namespace, name=claim.workspace.name)
        if found is None or found.metadata.uid != uid:
            self._facts.remove_workspace(uid)
            return False
        self._facts.upsert_workspace(found)
        if found.status.machine is None:
            return uid not in action.refused
        return found.status.machine == name

    async def _restored(self, workspace: Workspace, machine: Machine | None, action: CheckSeat) -> bool:
        """Give a living machine its lost record, or a record its lost claim; false where somebody else has the slot."""
        slot = workspace.status.slot or 0
        claim = _claim(workspace, slot=slot, now=self._world.clock.now())
        try:
            if machine is None and action.instance is not None:
                machine = await self._world.store.create_machine(self._record_of(workspace, action, slot=slot))
            if machine is None or machine.spec.reap is not None or slot in {c.slot for c in machine.spec.claims}:
                return False
            restored = await self._world.store.patch_machine(machine, claims=(*machine.spec.claims, claim))
        except HotdeskError as doubt:
            await self._reread.machine(workspace.status.machine or "", because=doubt)
            return True  # not known to be lost: it is looked at again
        self._facts.upsert_machine(restored)
        log.warning("claim restored", extra={"machine": workspace.status.machine, "workspace": _path(workspace)})
        return True

    def _record_of(self, workspace: Workspace, action: CheckSeat, *, slot: int) -> Machine:
        zone = action.instance.zone if action.instance is not None else ""
        slots = max(self._facts.slots_per_machine, slot + 1)
        return new_machine(workspace.status.machine or "", pool=self._facts.name, zone=zone, slots=slots)


def new_machine(name: str, *, pool: str, zone: str, slots: int) -> Machine:
    """Return the record of an instance, ready to be created."""
    return Machine.model_validate(
        {
            "apiVersion": "hotdesk.dev/v1alpha1",
            "kind": "Machine",
            "metadata": {"name": name, "labels": {"hotdesk.dev/pool": pool}},
            "spec": {"pool": pool, "providerID": f"aws:///{zone}/{name}", "slots": slots},
        },
    )


def _claim(workspace: Workspace, *, slot: int, now: datetime) -> Claim:
    meta = workspace.metadata
    holder = ClaimedBy(namespace=meta.namespace, name=meta.name, uid=meta.uid)
    at = claim_time(workspace.status.usage, now=now)
    return Claim(slot=slot, workspace=holder, owner=workspace.spec.owner, claimed_at=at)


def _holds(machine: Machine | None, workspace: Workspace) -> bool:
    if machine is None:
        return False
    return any(claim.workspace.uid == workspace.metadata.uid for claim in machine.spec.claims)


def _path(workspace: Workspace) -> str:
    return f"{workspace.metadata.namespace}/{workspace.metadata.name}"
