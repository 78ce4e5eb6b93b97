"""How long workspaces of each pool may idle, as the API server last showed it: their beats are recorded as often."""

import asyncio
import logging
from typing import Final

from hotdesk.adapters.kube.reading import list_objects
from hotdesk.adapters.kube.resources import PATIENCES
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.api.v1alpha1.activity import PoolPatience
from hotdesk.core.heartbeats.recording import Heartbeats
from hotdesk.ports import Clock, HotdeskError

log = logging.getLogger(__name__)

_PAUSE: Final = 5.0  # seconds before a list is tried again


class Pools:
    """Keeps the heartbeats' intervals up to date; its `upsert`, `delete` and `relisted` are for the watch.

    Beats are taken in without it: those of a pool that nobody has heard of are recorded at the usual interval.
    """

    def __init__(self, session: KubeSession, heartbeats: Heartbeats, clock: Clock) -> None:
        self._session = session
        self._heartbeats = heartbeats
        self._clock = clock
        self._wanted = asyncio.Event()

    def upsert(self, thing: PoolPatience) -> None:
        """Take in a pool as it is now."""
        rules = thing.spec.lifecycle
        timeout = rules.idle_timeout if rules is not None else None
        self._heartbeats.observe_pool(thing.metadata.name, idle_timeout=timeout, at=self._clock.monotonic())

    def delete(self, thing: PoolPatience) -> None:
        """Take in that a pool is gone."""
        self._heartbeats.observe_pool(thing.metadata.name, idle_timeout=None, at=self._clock.monotonic())

    def relisted(self) -> None:
        """Ask for a list: what came before is not in the stream of the watch."""
        self._wanted.set()

    async def run(self) -> None:
        """List whenever it is asked for, until it succeeds. A pool that vanished unseen is no harm."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                for thing in await list_objects(self._session, PATIENCES):
                    self.upsert(thing)
            except HotdeskError as error:
                log.warning("cannot list pools, beats are recorded at the usual interval: %s", error)
                self._wanted.set()
                await asyncio.sleep(_PAUSE)
