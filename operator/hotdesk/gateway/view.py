"""Every living workspace as the API server last showed it: a watch, and a list whenever the watch begins anew."""

import asyncio
import logging
from datetime import datetime
from typing import Final

from hotdesk.adapters.kube.reading import list_objects
from hotdesk.adapters.kube.resources import ACTIVITIES
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.api.v1alpha1 import WorkspaceActivity
from hotdesk.api.v1alpha1.activity import ActivityStatus
from hotdesk.core.heartbeats.recording import Heartbeats, Known
from hotdesk.ports import Clock, HotdeskError

log = logging.getLogger(__name__)

_RESTING: Final = frozenset({"Stopping", "Stopped", "Archiving", "Archived"})  # phases in which a beat wakes
_PAUSE: Final = 1.0  # seconds before a list is tried again


class View:
    """Keeps the heartbeats' facts up to date; its `upsert`, `delete` and `relisted` are for the watch."""

    def __init__(self, session: KubeSession, heartbeats: Heartbeats, clock: Clock) -> None:
        self.trouble: str | None = "the workspaces are not listed yet"
        self._session = session
        self._heartbeats = heartbeats
        self._clock = clock
        self._wanted = asyncio.Event()
        self._gone: set[str] = set()  # while a list is under way: what it may still show

    def upsert(self, thing: WorkspaceActivity) -> None:
        """Take in a workspace as it is now; one that is being deleted counts as gone."""
        if thing.metadata.deletion_timestamp is not None:
            self.delete(thing)
            return
        self._heartbeats.observe(known(thing), now=self._clock.now(), at=self._clock.monotonic())

    def delete(self, thing: WorkspaceActivity) -> None:
        """Take in that a workspace is gone."""
        self._gone.add(thing.metadata.uid)
        self._heartbeats.forget(thing.metadata.uid)

    def relisted(self) -> None:
        """Ask for a list: what came before is not in the stream of the watch."""
        self._wanted.set()

    async def run(self) -> None:
        """List whenever it is asked for, until it succeeds."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._compare()
            except HotdeskError as error:
                log.warning("cannot list workspaces: %s", error)
                self._wanted.set()
                await asyncio.sleep(_PAUSE)

    async def _compare(self) -> None:
        """List and compare; only what was known before the list began can be a ghost."""
        before = set(self._heartbeats)
        self._gone.clear()
        found = await list_objects(self._session, ACTIVITIES)
        listed = {thing.metadata.uid for thing in found}
        for thing in found:
            if thing.metadata.uid not in self._gone:
                self.upsert(thing)
        for uid in before - listed:
            self._heartbeats.forget(uid)
        self._gone.clear()
        if self.trouble is not None:
            log.info("workspaces listed", extra={"count": len(found)})
        self.trouble = None


def known(thing: WorkspaceActivity) -> Known:
    """Return what the heartbeats need of a workspace, and no more: it is kept for each."""
    meta, status = thing.metadata, thing.status
    rests = status.phase in _RESTING
    return Known(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        version=int(meta.resource_version),
        waits=status.phase == "Pending",
        claimed_at=status.claimed_at,
        last_activity=status.last_activity_time,
        rests=rests,
        pool=thing.spec.pool,
        idle_timeout=thing.spec.idle_timeout,
        decided_at=(status.idle_since or status.stopped_at) if rests else _warned_at(status),
    )


def _warned_at(status: ActivityStatus) -> datetime | None:
    """Return when the user was told that the machine will stop; None if that is not what comes next."""
    return status.next.warned_at if status.next is not None and status.next.action == "Stop" else None
