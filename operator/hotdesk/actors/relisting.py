"""Comparing with a full list now and then: what a watch stream has missed comes in late, not never."""

import asyncio
import logging
from contextlib import suppress

from hotdesk.actors.directory import Directory
from hotdesk.ports import HotdeskError

log = logging.getLogger(__name__)

_CALM = 1.0  # seconds without another replayed object: then a replay is over, of 10,000 objects after some seconds
_AT_LATEST = 30.0  # seconds: watches that break for ever, and replay each time, hide no ghost for longer


async def resync_for_ever(directory: Directory, *, every: float, wanted: asyncio.Event) -> None:
    """Compare with a full list every so many seconds, and once `wanted` was set and is not set again for a second."""
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


async def _calm(wanted: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_AT_LATEST):
            while wanted.is_set():
                wanted.clear()
                await asyncio.sleep(_CALM)
