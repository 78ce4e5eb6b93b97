"""Comparing with a full list now and then: what a watch stream has missed comes in late, not never."""

import asyncio
import logging

from hotdesk.actors.directory import Directory
from hotdesk.ports import HotdeskError

log = logging.getLogger(__name__)


async def resync_for_ever(directory: Directory, *, every: float, wanted: asyncio.Event) -> None:
    """Compare with a full list every so many seconds, and soon after `wanted` is set."""
    while True:
        try:
            async with asyncio.timeout(every):
                await wanted.wait()
        except TimeoutError:
            pass
        wanted.clear()
        try:
            await directory.resync()
        except HotdeskError as error:
            log.warning("cannot list: %s", error)
        except Exception:
            log.exception("comparing failed")
