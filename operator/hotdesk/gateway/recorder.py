"""Writes beats into the status of workspaces: few at a time, below a ceiling, each guarded by the version read."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from hotdesk.adapters.kube.reading import fetch_object
from hotdesk.adapters.kube.resources import ACTIVITIES
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.writing import WriteObserver, Writer
from hotdesk.api.v1alpha1 import WorkspaceActivity
from hotdesk.api.v1alpha1.activity import ActivityStatus
from hotdesk.api.wire import ObjectMeta
from hotdesk.core.heartbeats.recording import Heartbeats, Known, Write
from hotdesk.core.rates import Limits, Rate
from hotdesk.gateway.view import known
from hotdesk.ports import Clock, Conflict, HotdeskError, NotFound, Refused

log = logging.getLogger(__name__)

_AT_ONCE: Final = 8  # writes under way
_RETRY: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = 10.0  # seconds without any write while the API server is in trouble
_LOOK: Final = 1.0  # seconds; what becomes due by time alone is noticed this late at most


class Recorder:
    """Carries out what the heartbeats decide."""

    def __init__(
        self,
        session: KubeSession,
        heartbeats: Heartbeats,
        clock: Clock,
        *,
        writes_per_second: float,
        on_write: WriteObserver | None = None,
    ) -> None:
        self._session = session
        self._heartbeats = heartbeats
        self._clock = clock
        self._writer = Writer(session, observer=on_write)
        self._ceiling = Limits(Rate(per_second=writes_per_second, burst=max(1, int(writes_per_second))))
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._quiet_until = 0.0
        self._pause = 0.0

    def nudge(self) -> None:
        """Look at once if something is due: a beat may be the first after a claim."""
        due = self._heartbeats.next_due
        if due is not None and due <= self._clock.monotonic():
            self._news.set()

    async def run(self) -> None:
        """Write what is due, for ever."""
        while True:
            wait = self.send_due()
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()

    async def stop(self, *, within: float) -> None:
        """Write what is due, and wait for what is under way, at most so many seconds."""
        try:
            async with asyncio.timeout(within):
                self.send_due()
                while self._tasks:
                    await asyncio.wait(tuple(self._tasks))
                    self.send_due()
        except TimeoutError:
            log.warning("beats were still being written after %g s", within)
        for task in self._tasks:
            task.cancel()

    def send_due(self) -> float:
        """Begin the writes that may begin now; return the seconds after which there may be more to begin."""
        now = self._clock.monotonic()
        if now < self._quiet_until:
            return min(_LOOK, self._quiet_until - now)
        while len(self._tasks) < _AT_ONCE and (due := self._heartbeats.next_due) is not None and due <= now:
            if (wait := self._ceiling.admit("", at=now)) > 0:
                return min(_LOOK, wait)
            for write in self._heartbeats.take(at=now, limit=1):
                task = asyncio.create_task(self._write(write))
                self._tasks.add(task)
                task.add_done_callback(self._done)
        return _LOOK

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._news.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("recording a beat failed", exc_info=error)

    async def _write(self, write: Write) -> None:
        try:
            after = await self._writer.patch(ACTIVITIES, _target(write.workspace), _patch(write), subresource="status")
        except NotFound:
            self._heartbeats.forget(write.workspace.uid)
        except Conflict:
            await self._read_again(write.workspace)
            self._failed(write)
        except HotdeskError as error:
            self._failed(write)
            if not isinstance(error, Refused):
                self._slow_down(error)
        else:
            self._pause = 0.0
            self._heartbeats.written(write, known(after), now=self._clock.now(), at=self._clock.monotonic())

    async def _read_again(self, stale: Known) -> None:
        """Read the workspace once, past every cache; one made anew under its name is another, and not touched."""
        try:
            fresh = await fetch_object(self._session, ACTIVITIES, name=stale.name, namespace=stale.namespace)
        except HotdeskError:
            return  # the watch will show it
        if fresh is None or fresh.metadata.uid != stale.uid or fresh.metadata.deletion_timestamp is not None:
            self._heartbeats.forget(stale.uid)
        else:
            self._heartbeats.observe(known(fresh), now=self._clock.now(), at=self._clock.monotonic())

    def _failed(self, write: Write) -> None:
        self._heartbeats.failed(write, at=self._clock.monotonic(), pause=_RETRY)

    def _slow_down(self, error: HotdeskError) -> None:
        """Stop writing for a while: no workspace's write would fare better, and beats are kept."""
        if not self._pause:
            log.warning("beats cannot be recorded, the newest are kept: %s", error)
        self._pause = min(_LONGEST_PAUSE, max(0.5, 2 * self._pause))
        self._quiet_until = self._clock.monotonic() + self._pause


def _target(workspace: Known) -> WorkspaceActivity:
    """Return what the write is guarded by: on /status the version alone, which no two objects share."""
    return WorkspaceActivity(
        metadata=ObjectMeta(
            namespace=workspace.namespace,
            name=workspace.name,
            uid=workspace.uid,
            resource_version=str(workspace.version),
        )
    )


def _patch(write: Write) -> dict[str, object]:
    status = ActivityStatus(last_activity_time=write.beat.at, activity_source=write.beat.source)
    only = {"last_activity_time", "activity_source"}
    return {"status": status.model_dump(mode="json", by_alias=True, include=only)}
