"""Hearing what AWS announces: one task per queue, whose messages go only when what they say is on record."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from hotdesk.actors.backoff import Backoff
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import Aws, Machine, MachinePool
from hotdesk.core import doomed
from hotdesk.core.announcements import Announcement
from hotdesk.core.facts import Instance
from hotdesk.ports import Conflict, HotdeskError, Interruptions

log = logging.getLogger(__name__)

QueueKey = tuple[str, str, str | None, str | None]

# By then every machine of ours has a record, unless it was never launched by one of our pools.
_FOREIGN_AFTER = timedelta(minutes=1)
_TRIES = 3


class Home(Protocol):
    """A pool that knows machines, whether or not this replica acts for it."""

    @property
    def name(self) -> str:
        """The pool's name."""

    def machine(self, name: str) -> tuple[Machine | None, Instance | None]:
        """Return a machine's record, and what EC2 last showed of it."""

    def announce(self, announcement: Announcement) -> None:
        """Take in that AWS announced something about one of its machines, and look at it soon."""

    def upsert_machine(self, machine: Machine) -> None:
        """Take in a machine."""

    def remove_machine(self, name: str) -> None:
        """Take in that a machine's record is gone."""

    def queue_answered(self, error: HotdeskError | None) -> None:
        """Take in that its queue was read, or why it could not be."""


FindHome = Callable[[str], Home | None]
"""Return the pool that has a record of an instance."""


class Announcing:
    """Reads the queues of those pools that it was told of, and no others."""

    def __init__(self, world: World, find_home: FindHome) -> None:
        self._world = world
        self._find_home = find_home
        self._keys: dict[str, QueueKey] = {}
        self._readers: dict[QueueKey, _Reader] = {}
        self._tasks: dict[QueueKey, asyncio.Task[None]] = {}

    def listen(self, home: Home, pool: MachinePool) -> None:
        """Read the pool's queue from now on; another one no more. One that it has already goes on undisturbed."""
        key = _key_of(pool.spec.aws) if not pool.spec.paused else None
        if key == self._keys.get(home.name):
            return
        self.ignore(home)
        if key is None:
            return
        self._keys[home.name] = key
        if key not in self._readers:
            self._begin(key)
        self._readers[key].listeners[home.name] = home

    def ignore(self, home: Home) -> None:
        """Read nothing for a pool any more: its messages stay, or come again, for whoever acts for it next."""
        key = self._keys.pop(home.name, None)
        if key is None:
            return
        listeners = self._readers[key].listeners
        listeners.pop(home.name, None)
        if not listeners:
            del self._readers[key]
            self._tasks.pop(key).cancel()

    async def stop(self) -> None:
        """Read nothing any more."""
        tasks = tuple(self._tasks.values())
        for known in (self._keys, self._readers, self._tasks):
            known.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: QueueKey) -> None:
        queue_url, region, endpoint_url, role_arn = key
        source = self._world.fleets.interruptions(region=region, endpoint_url=endpoint_url, role_arn=role_arn)
        reader = self._readers[key] = _Reader(source, queue_url, self._world, self._find_home)
        self._tasks[key] = asyncio.get_running_loop().create_task(reader.run(), name=f"hear {queue_url}")


class _Reader:
    """Reads one queue. A message whose handling failed comes again by itself."""

    def __init__(self, source: Interruptions, queue_url: str, world: World, find_home: FindHome) -> None:
        self.listeners: dict[str, Home] = {}
        self._source = source
        self._queue_url = queue_url
        self._world = world
        self._find_home = find_home
        self._backoff = Backoff(world.clock)

    async def run(self) -> None:
        """Read, for ever."""
        while True:
            try:
                await self._read()
            except HotdeskError as error:
                log.warning("the queue was not read: %s", error, extra={"queue": self._queue_url})
                await self._wait(error)
            except Exception:
                log.exception("reading the queue failed", extra={"queue": self._queue_url})
                await self._wait(None)
            else:
                self._backoff.succeeded((self._queue_url,))
                self._tell(None)

    async def _read(self) -> None:
        announcements = await self._source.receive(queue_url=self._queue_url)
        kept = {found.receipt for found in announcements if not await self._handled(found)}
        done = {found.receipt for found in announcements} - kept
        if done:
            await self._source.delete(queue_url=self._queue_url, receipts=sorted(done))

    async def _wait(self, error: HotdeskError | None) -> None:
        wait = self._backoff.failed((self._queue_url,), at_least=0.0 if error is not None else 1.0)
        if error is not None:
            self._tell(error)
        await asyncio.sleep(wait)

    def _tell(self, error: HotdeskError | None) -> None:
        for listener in tuple(self.listeners.values()):
            listener.queue_answered(error)

    async def _handled(self, announcement: Announcement) -> bool:
        """Bring what was announced into the machine's record; False if the message must come again."""
        home = self._find_home(announcement.instance)
        if home is None:
            is_old = self._world.clock.now() - announcement.at >= _FOREIGN_AFTER
            return is_old or not doomed.is_doom(announcement)
        home.announce(announcement)
        try:
            return await self._note(home, announcement)
        except HotdeskError as error:
            log.warning("an announcement was not recorded: %s", error, extra={"machine": announcement.instance})
            return False

    async def _note(self, home: Home, announcement: Announcement) -> bool:
        store, name = self._world.store, announcement.instance
        for _ in range(_TRIES):
            machine, instance = home.machine(name)
            doom = None if machine is None else doomed.noted(machine, instance, announcement)
            if machine is None or doom is None:
                return True
            status = machine.status.model_copy(update={"interruption": doom})
            try:
                home.upsert_machine(await store.patch_machine_status(machine, status))
            except Conflict:
                found = await store.fetch_machine(name=name)
                if found is None:
                    home.remove_machine(name)
                else:
                    home.upsert_machine(found)
            else:
                log.warning("AWS takes a machine", extra={"machine": name, "reason": doom.reason, "at": doom.at})
                return True
        return False


def _key_of(aws: Aws) -> QueueKey | None:
    if aws.interruption_queue is None:
        return None
    return aws.interruption_queue, aws.region, aws.endpoint_url, aws.role_arn
