"""This replica's own Lease: the proof that it lives, and so the right to act."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from hotdesk.actors.gate import LeaseGate
from hotdesk.api.lease import Lease, LeaseSpec
from hotdesk.core.lease_book import identity_of, replica_lease
from hotdesk.core.sharing import Terms
from hotdesk.ports import Clock, Conflict, HotdeskError, Leases, Metrics, NotFound

log = logging.getLogger(__name__)

_PAUSE = 0.25  # seconds after a renewal that failed


class Usurped(HotdeskError):  # noqa: N818  # names the fact
    """Another process runs under this replica's name; one of the two must go."""


class Deposed(HotdeskError):  # noqa: N818
    """The others took this replica for dead and deleted its Lease: what it had may be another's by now."""


class Membership:
    """Takes, renews and gives back the Lease of one replica. Its holder is the process, so that two of one name meet.

    Whoever wants a silent replica's pools deletes its Lease first. So a renewal that succeeds proves that nobody has
    taken anything from us, and one that finds the Lease gone says that somebody may have.
    """

    def __init__(  # what it works with, all by keyword
        self, leases: Leases, *, replica: str, gate: LeaseGate, clock: Clock, metrics: Metrics, terms: Terms
    ) -> None:
        self.identity = ""
        self._leases = leases
        self.name = replica_lease(replica)
        """What its Lease is called."""
        self._process = f"{replica}_{uuid4()}"
        self._gate = gate
        self._clock = clock
        self._metrics = metrics
        self._terms = terms
        self._lease: Lease | None = None
        self._is_leaving = False
        self._renewing = asyncio.Lock()

    async def join(self) -> Lease:
        """Take the Lease of our name, whoever has it: an earlier process of this name is taken for ended.

        Raises what the port raises; Conflict where two processes of this name start at once.
        """
        started = self._clock.monotonic()
        found = await self._leases.fetch_lease(name=self.name)
        spec = self._spec().model_copy(update={"acquire_time": self._clock.now()})
        if found is None:
            lease = await self._leases.create_lease(name=self.name, spec=spec)
        else:
            lease = await self._leases.patch_lease(found, spec)
        self._lease, self.identity = lease, identity_of(lease)
        self._gate.renewed(started=started)
        log.info("joined", extra={"replica": self.identity})
        return lease

    async def keep(self, *, reopened: Callable[[], None]) -> None:
        """Renew until the end; `reopened` is called when a renewal has opened a gate that was shut.

        Raises:
            Deposed, Usurped: the Lease is no longer ours. The gate is shut then.

        """
        is_told = False
        while not self._has_ended():
            if await self._renew(reopened):
                is_told = False
                await asyncio.sleep(self._terms.renew.total_seconds())
                continue
            if not is_told and not self._has_ended() and not self._gate.is_open:
                is_told = True
                log.warning("this replica could not renew its Lease in time and acts no more until it has")
            await asyncio.sleep(_PAUSE)

    async def leave(self) -> None:
        """Say that we go, so that nothing is given to us any more."""
        self._is_leaving = True
        await self._renew()

    async def end(self) -> None:
        """Delete the Lease: whatever still names us as its holder is free."""
        self._gate.shut()
        async with self._renewing:
            if self._lease is not None:
                with suppress(HotdeskError):
                    await self._leases.delete_lease(self._lease)
                self._lease = None

    def _has_ended(self) -> bool:
        return self._lease is None

    async def _renew(self, reopened: Callable[[], None] = lambda: None) -> bool:
        async with self._renewing:
            return self._lease is not None and await self._renewed(self._lease, reopened)

    async def _renewed(self, lease: Lease, reopened: Callable[[], None]) -> bool:
        started, outcome = self._clock.monotonic(), "ok"
        try:
            async with asyncio.timeout(self._terms.attempt.total_seconds()):
                self._lease = await self._leases.patch_lease(lease, self._spec())
        except (HotdeskError, TimeoutError) as error:
            outcome = type(error).__name__.lower()
            log.info("the Lease was not renewed: %r", error)
            if isinstance(error, Conflict | NotFound):  # perhaps with our own earlier try, whose answer was lost
                await self._reread()
            return False
        else:
            if self._gate.renewed(started=started):
                reopened()
            return True
        finally:
            self._metrics.lease_renewed(outcome=outcome, seconds=self._clock.monotonic() - started)

    async def _reread(self) -> None:
        """Find out whether a Lease whose renewal failed is still ours."""
        try:
            async with asyncio.timeout(self._terms.attempt.total_seconds()):
                found = await self._leases.fetch_lease(name=self.name)
        except (HotdeskError, TimeoutError):
            return  # nobody knows; the gate closes by itself if this goes on
        if found is not None and found.spec.holder_identity not in {self._process, ""}:
            self._gate.shut()
            raise Usurped(f"another process runs as {self.name}: give each its own HOTDESK_REPLICA")
        if found is None or identity_of(found) != self.identity:
            self._gate.shut()
            raise Deposed("the other replicas took this one for dead")
        self._lease = found

    def _spec(self) -> LeaseSpec:
        return LeaseSpec(
            holder_identity="" if self._is_leaving else self._process,
            lease_duration_seconds=max(1, round(self._terms.lease.total_seconds())),
            renew_time=self._clock.now(),
        )
