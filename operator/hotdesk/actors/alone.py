"""A process that shares with nobody."""

import asyncio

from hotdesk.actors.directory import Directory


class Alone:
    """Stands where Sharing does: takes every pool at once, and asks nobody."""

    trouble: str | None = None

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def run(self) -> None:
        """Act for every pool, now and later."""
        self._directory.start()
        await asyncio.Event().wait()

    async def leave(self) -> None:
        """Nobody is to be told."""
