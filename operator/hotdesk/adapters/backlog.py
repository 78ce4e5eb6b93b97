"""Notices that wait for a slow channel: bounded, in their order; when it is full the oldest ordinary one goes."""

from collections import deque
from itertools import count
from typing import Final

from hotdesk.core.notices import Notice

LIMIT: Final = 2_000  # some 2 MB; a burst of 1,000 claims fits twice


class Backlog:
    """A queue that never grows beyond its limit. Warnings are the last to be dropped."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._numbers = count()
        self._ordinary: deque[tuple[int, Notice]] = deque()
        self._warnings: deque[tuple[int, Notice]] = deque()

    def __len__(self) -> int:
        return len(self._ordinary) + len(self._warnings)

    def put(self, notice: Notice) -> Notice | None:
        """Take a notice in; return the one that had to go for it, if one had to."""
        queue = self._warnings if notice.is_warning else self._ordinary
        queue.append((next(self._numbers), notice))
        if len(self) <= self._limit:
            return None
        return (self._ordinary or self._warnings).popleft()[1]

    def take(self) -> Notice | None:
        """Return the oldest notice, or None."""
        waiting = [queue for queue in (self._ordinary, self._warnings) if queue]
        return min(waiting, key=lambda queue: queue[0][0]).popleft()[1] if waiting else None
