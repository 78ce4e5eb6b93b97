"""This replica among the others: it takes, gives back and takes over pools, and acts only for those it holds."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import assert_never

from hotdesk.actors.directory import Directory
from hotdesk.actors.gate import LeaseGate
from hotdesk.actors.lease_work import LeaseWork
from hotdesk.actors.membership import Deposed, Membership, Usurped
from hotdesk.actors.relisting import Replays
from hotdesk.api.lease import Lease
from hotdesk.core.lease_book import LeaseBook, pool_lease
from hotdesk.core.sharing import Acquire, Decision, Depose, Discard, Release, Terms, next_change, plan
from hotdesk.ports import Clock, HotdeskError, Leases

log = logging.getLogger(__name__)

_JOIN_AGAIN = 1.0  # seconds after joining failed
_AT_REST = 5.0  # seconds between two passes without news


class Sharing:
    """Keeps what this process acts for the same as what its Leases say. News of Leases comes in at any time."""

    def __init__(  # what it works with, all by keyword
        self,
        directory: Directory,
        leases: Leases,
        membership: Membership,
        *,
        gate: LeaseGate,
        clock: Clock,
        terms: Terms,
        replays: Replays | None = None,
    ) -> None:
        self.book = LeaseBook()
        self.trouble: str | None = "this replica has not joined the others yet"
        self._directory = directory
        self._leases = leases
        self._membership = membership
        self._gate = gate
        self._clock = clock
        self._terms = terms
        self._replays = replays or Replays()
        self._wake = asyncio.Event()
        self.work = LeaseWork(book=self.book, directory=directory, leases=leases, clock=clock, changed=self._wake.set)
        self._relist = asyncio.Event()
        self._rescued_at = float("-inf")
        self._is_leaving = False
        directory.pools_changed = self._wake.set

    # -- news -------------------------------------------------------------------------------------------------------

    def upsert(self, lease: Lease) -> None:
        """Take in a Lease."""
        if self.book.upsert(lease, now=self._clock.monotonic()):
            self._wake.set()

    def delete(self, lease: Lease) -> None:
        """Take in that a Lease is gone."""
        self.book.deleted(lease)
        self._wake.set()

    def relisted(self) -> None:
        """Take in that news may have been missed."""
        self._relist.set()
        self._wake.set()

    # -- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Join and share, until `leave` is done. Raises Usurped if another process has taken this replica's name."""
        while not self._is_leaving:
            await self._join()
            chores = [
                asyncio.create_task(self._membership.keep(reopened=self._reopened), name="renew lease"),
                asyncio.create_task(self._share(), name="share pools"),
            ]
            try:
                await asyncio.wait(chores, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for chore in chores:
                    chore.cancel()
                ended = await asyncio.gather(*chores, return_exceptions=True)
            if not self._is_leaving:
                await self._begin_anew(ended[0])

    async def leave(self) -> None:
        """Give every pool back as soon as its writes have ended, then the replica's own Lease."""
        self._is_leaving = True
        try:
            with suppress(Deposed, Usurped):  # then nothing is ours to give back, and what is under way still ends
                await self._membership.leave()
            await self.work.release_all(sorted(self._directory.pools))
        finally:
            await self._membership.end()

    async def _join(self) -> None:
        while True:
            try:
                await self._resync()
                await self._catch_up()
                self.upsert(await self._membership.join())
                self.work.identity = self._membership.identity
            except HotdeskError as error:
                self.trouble = f"this replica cannot join the others: {error}"
                log.warning("%s", self.trouble)
                await asyncio.sleep(_JOIN_AGAIN)
            else:
                self.trouble = None
                return

    async def _catch_up(self) -> None:
        """Wait until what is new is heard at once, while others do the work: they would give pools to a deaf one."""
        while self.book.can_spare(self._membership.name, terms=self._terms, now=self._clock.monotonic()):
            try:
                async with asyncio.timeout(_JOIN_AGAIN):
                    await self._replays.over.wait()
            except TimeoutError:
                continue
            return

    async def _begin_anew(self, end: object) -> None:
        """Act for nothing any more before joining again."""
        if not isinstance(end, Deposed):
            raise end if isinstance(end, Exception) else RuntimeError("the Lease is renewed no more")
        log.warning("%s; this one lets go of everything and joins anew", end)
        await self.work.drop()
        await asyncio.gather(*(self._directory.let_go(pool) for pool in sorted(self._directory.pools)))

    def _reopened(self) -> None:
        log.warning("this replica has renewed its Lease and acts again")
        self.book.forgive(now=self._clock.monotonic())
        self._directory.nudge()
        self._wake.set()

    async def _share(self) -> None:
        while True:
            self._wake.clear()
            try:
                if self._relist.is_set():
                    await self._resync()
                wait = self._pass()
            except HotdeskError as error:
                log.warning("cannot list Leases: %s", error)
                wait = 1.0
            except Exception:
                log.exception("sharing failed")
                wait = 1.0
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _resync(self) -> None:
        known = frozenset(self.book.leases)
        self._relist.clear()
        try:
            listed = await self._leases.list_leases()
        except HotdeskError:
            self._relist.set()
            raise
        self.book.resync(listed, known=known, now=self._clock.monotonic())

    # -- deciding and acting ----------------------------------------------------------------------------------------

    def _pass(self) -> float:
        """Act as the Leases say, start what is decided about them, and return the seconds until more may be due."""
        now, directory, me = self._clock.monotonic(), self._directory, self.work.identity
        if self._is_leaving:
            return _AT_REST
        view = self.book.view(me, pools=directory.pools, now=now)
        view = replace(view, busy=directory.busy & directory.taken, rescued_at=self._rescued_at)
        mine = {pool for pool, holder in view.holders.items() if holder == me}
        for pool in sorted((mine & view.pools) ^ directory.taken):
            self.work.follow(pool)
        if self._gate.is_open:
            for decision in plan(view, self._terms, now=now):
                self._decide(decision, now)
        return min(_AT_REST, next_change(view, self._terms, now=now))

    def _decide(self, decision: Decision, now: float) -> None:
        match decision:
            case Acquire(pool=pool, is_rescue=is_rescue):
                self._rescued_at = now if is_rescue else self._rescued_at
                self.work.acquire(pool)
            case Release(pool=pool):
                self.work.release(pool)
            case Discard(pool=pool):
                self.work.delete(self.book.leases[pool_lease(pool)])
            case Depose(identity=identity):
                log.warning("a replica is taken for dead", extra={"replica": identity})
                self.work.delete(self.book.lease_of(identity))
            case _:
                assert_never(decision)
