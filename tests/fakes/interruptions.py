"""An in-memory queue of announcements: hidden while somebody works on them, and back again if nobody deletes them."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count

from fakes.awsworld import ManualClock
from hotdesk.core.announcements import Announcement
from hotdesk.ports import HotdeskError

_HIDDEN = timedelta(milliseconds=50)


@dataclass
class _Message:
    said: Announcement
    visible: float
    received: int = 0


class FakeInterruptions:
    """The Interruptions port: queues by URL, whose `clock` hides messages for 50 ms."""

    def __init__(self, clock: ManualClock) -> None:
        self.readers: dict[str, int] = {}  # how many poll each queue now
        self._trouble: HotdeskError | None = None
        self._clock = clock
        self._queues: dict[str, dict[str, _Message]] = {}
        self._receipts = count()

    def say(self, queue_url: str, *announcements: Announcement) -> None:
        """Put each into the queue as a message of its own."""
        for said in announcements:
            message = _Message(said, visible=self._clock.monotonic())
            self._queues.setdefault(queue_url, {})[str(next(self._receipts))] = message

    def fail(self, error: HotdeskError | None) -> None:
        """Let every call raise this from now on; None: no more."""
        self._trouble = error

    def left(self, queue_url: str) -> list[Announcement]:
        """Return what nobody has deleted."""
        return [message.said for message in self._queues.get(queue_url, {}).values()]

    def received(self, queue_url: str) -> list[int]:
        """Return how often each message that nobody has deleted was received."""
        return [message.received for message in self._queues.get(queue_url, {}).values()]

    async def receive(self, *, queue_url: str) -> Sequence[Announcement]:
        self.readers[queue_url] = self.readers.get(queue_url, 0) + 1
        try:
            while not (found := self._visible(queue_url)):  # noqa: ASYNC110  # nobody announces that the clock was moved
                await asyncio.sleep(0.005)
            return found
        finally:
            self.readers[queue_url] -= 1

    async def delete(self, *, queue_url: str, receipts: Collection[str]) -> None:
        await asyncio.sleep(0)
        if self._trouble is not None:
            raise self._trouble
        for receipt in receipts:
            self._queues.get(queue_url, {}).pop(receipt, None)

    def _visible(self, queue_url: str) -> list[Announcement]:
        if self._trouble is not None:
            raise self._trouble
        now = self._clock.monotonic()
        found = {name: m for name, m in self._queues.get(queue_url, {}).items() if m.visible <= now}
        for message in found.values():
            message.visible = now + _HIDDEN.total_seconds()
            message.received += 1
        return [replace(message.said, receipt=name) for name, message in found.items()]
