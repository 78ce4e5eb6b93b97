"""Comparing with a full list now and then: what a watch stream has missed comes in late, not never."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from hotdesk.actors.directory import Directory
from hotdesk.ports import HotdeskError

log = logging.getLogger(__name__)

_CALM = 1.0  # seconds without another replayed object: then a replay is over, of 10,000 objects after some seconds
_AT_LATEST = 30.0  # seconds: watches that break for ever, and replay each time, hide no ghost for longer


class Replays:
    """What watches tell again of what exists. News of today waits behind it: of 10,000 workspaces for seconds."""

    def __init__(self, awaited: Iterable[str] = ()) -> None:
        self.wanted = asyncio.Event()
        """Set when something was replayed, or may have been missed: then a full list is wanted."""
        self.over = asyncio.Event()
        """Set when all that existed when this process began was told again, or a full list was had since."""
        self._awaited = set(awaited)
        self._check()

    def told(self, uid: str) -> None:
        """Take in that an object was replayed."""
        self.wanted.set()
        self._awaited.discard(uid)
        self._check()

    def _check(self) -> None:
        if not self._awaited:
            self.over.set()


async def resync_for_ever(directory: Directory, *, every: float, replays: Replays) -> None:
    """Compare with a full list every so many seconds, and once one was wanted and is not wanted again for a second."""
    wanted = replays.wanted
    while True:
        try:
            async with asyncio.timeout(every):
                await wanted.wait()
        except TimeoutError:
            pass
        await _calm(wanted)
        try:
            await directory.resync()
        except HotdeskError as error:
            log.warning("cannot list: %s", error)
        except Exception:
            log.exception("comparing failed")
        replays.over.set()


async def _calm(wanted: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_AT_LATEST):
            while wanted.is_set():
                wanted.clear()
                await asyncio.sleep(_CALM)
