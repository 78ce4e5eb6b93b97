"""What is done about Leases: one thing at a time for each, again after a while where it failed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from hotdesk.actors.backoff import Backoff
from hotdesk.actors.directory import Directory
from hotdesk.api.lease import Lease, LeaseSpec
from hotdesk.core.lease_book import LeaseBook, pool_lease
from hotdesk.ports import Clock, Conflict, HotdeskError, Leases, NotFound, Unanswered

log = logging.getLogger(__name__)

_DOUBT = (Conflict, NotFound, Unanswered)
Work = Callable[[], Awaitable[None]]


class LeaseWork:
    """Changes Leases and takes the outcome into the book; `changed` is called when that may allow or ask for more."""

    def __init__(  # what it works with, all by keyword
        self, *, book: LeaseBook, directory: Directory, leases: Leases, clock: Clock, changed: Callable[[], None]
    ) -> None:
        self.identity = ""
        """Who this replica is now, as the holder of Leases."""
        self._book = book
        self._directory = directory
        self._leases = leases
        self._clock = clock
        self._changed = changed
        self._backoff = Backoff(clock)
        self._working: dict[str, asyncio.Task[None]] = {}  # by the name of the Lease

    def follow(self, pool: str) -> None:
        """Act for a pool exactly if its Lease says so."""
        self._start(pool_lease(pool), partial(self._follow, pool))

    def acquire(self, pool: str) -> None:
        """Take a pool that nobody has."""
        self._start(pool_lease(pool), partial(self._acquire, pool))

    def release(self, pool: str) -> None:
        """Let a pool go, and say so when the writes for it have ended."""
        self._start(pool_lease(pool), partial(self._release, pool))

    def delete(self, lease: Lease) -> None:
        """Delete a Lease as it was when that was decided: one that has changed since shows life."""
        self._start(lease.metadata.name, partial(self._delete, lease))

    async def release_all(self, pools: Sequence[str]) -> None:
        """Release pools at once, and return when all that can be was."""
        await self._ended()
        await asyncio.gather(*(self._release(pool) for pool in pools), return_exceptions=True)

    async def drop(self) -> None:
        """Break off everything."""
        for task in self._working.values():
            task.cancel()
        await self._ended()

    async def _ended(self) -> None:
        await asyncio.gather(*self._working.values(), return_exceptions=True)

    def _start(self, name: str, work: Work) -> None:
        """Do something about a Lease, unless something is being done about it or has just failed."""
        if name not in self._working and not self._backoff.holds((name,)):
            task = asyncio.get_running_loop().create_task(self._run(name, work))
            self._working[name] = task
            task.add_done_callback(lambda _: self._end(name))

    def _end(self, name: str) -> None:
        self._working.pop(name, None)
        self._changed()

    async def _run(self, name: str, work: Work) -> None:
        try:
            await work()
        except Exception as error:
            wait = self._backoff.failed((name,))
            asyncio.get_running_loop().call_later(wait, self._changed)
            log.warning("Lease %s: %s", name, error, exc_info=not isinstance(error, HotdeskError))
        else:
            self._backoff.succeeded((name,))

    async def _follow(self, pool: str) -> None:
        if self._book.holder_of(pool) == self.identity:
            self._directory.take(pool)
            log.info("acting for pool", extra={"pool": pool})
        else:
            log.warning("the Lease of a pool was taken away", extra={"pool": pool})
            await self._directory.let_go(pool)

    async def _acquire(self, pool: str) -> None:
        name, now = pool_lease(pool), self._clock.now()
        known = self._book.leases.get(name)
        spec = LeaseSpec(holder_identity=self.identity, acquire_time=now, renew_time=now)
        if known is None:
            await self._take_in(name, self._leases.create_lease(name=name, spec=spec))
        else:
            again = spec.model_copy(update={"lease_transitions": known.spec.lease_transitions + 1})
            await self._take_in(name, self._leases.patch_lease(known, again))

    async def _release(self, pool: str) -> None:
        await self._directory.let_go(pool)
        lease = self._book.leases.get(pool_lease(pool))
        if lease is not None and lease.spec.holder_identity == self.identity:
            free = lease.spec.model_copy(update={"holder_identity": ""})
            await self._take_in(lease.metadata.name, self._leases.patch_lease(lease, free))
            log.info("pool given back", extra={"pool": pool})

    async def _delete(self, lease: Lease) -> None:
        try:
            await self._leases.delete_lease(lease)
        except _DOUBT:
            await self._reread(lease.metadata.name)
        else:
            self._book.deleted(lease)

    async def _take_in(self, name: str, writing: Awaitable[Lease]) -> None:
        try:
            self._book.upsert(await writing, now=self._clock.monotonic())
        except _DOUBT:
            await self._reread(name)

    async def _reread(self, name: str) -> None:
        found = await self._leases.fetch_lease(name=name)
        if found is None:
            self._book.remove(name)
            return
        # The watch may be behind this read: its holder may have joined since, and would be taken for dead.
        stranger = self._book.stranger(found)
        living = await self._leases.fetch_lease(name=stranger) if stranger is not None else None
        for lease in (living, found):
            if lease is not None:
                self._book.upsert(lease, now=self._clock.monotonic())
