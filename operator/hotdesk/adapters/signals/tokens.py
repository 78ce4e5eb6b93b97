"""Tokens from Secrets, read seldom: ten thousand machines of a pool share one."""

import asyncio
from dataclasses import dataclass
from typing import Final

from hotdesk.api.v1alpha1 import SecretKey
from hotdesk.ports import Clock, Secrets

_KEPT: Final = 60.0  # seconds
_RETRIED: Final = 5.0  # seconds, at least, between two reads of one that failed or was refused


@dataclass(slots=True)
class _Entry:
    task: asyncio.Task[str]
    began: float
    is_doubted: bool = False


class Tokens:
    """Remembers each token for a minute; one that was refused, and one that could not be read, for some seconds."""

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock
        self._entries: dict[SecretKey, _Entry] = {}

    async def fetch(self, ref: SecretKey) -> str:
        """Return the token, without the white space around it. Raises what the Secrets raise."""
        now = self._clock.monotonic()
        entry = self._entries.get(ref)
        if entry is None or now - entry.began > _kept(entry):
            entry = self._entries[ref] = _Entry(asyncio.create_task(self._secrets.fetch(ref)), now)
            entry.task.add_done_callback(_failed)  # looked at, also when nobody waits for it any more
        return (await asyncio.shield(entry.task)).strip()

    def doubt(self, ref: SecretKey) -> None:
        """Take in that a machine refused the token: it may have been exchanged."""
        if ref in self._entries:
            self._entries[ref].is_doubted = True


def _kept(entry: _Entry) -> float:
    return _RETRIED if entry.is_doubted or (entry.task.done() and _failed(entry.task)) else _KEPT


def _failed(task: asyncio.Task[str]) -> bool:
    return task.cancelled() or task.exception() is not None
