"""Brings notices to one destination, in their order, and tries again while there is hope."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hotdesk.adapters.backlog import Backlog
from hotdesk.core.notices import Notice
from hotdesk.ports import Clock, HotdeskError, Throttled, Unanswered

log = logging.getLogger(__name__)

Send = Callable[[], Awaitable[None]]
OnOutcome = Callable[[Notice, str, str], None]
"""Told of a notice, what became of it (`told`, `dropped` or `failed`), and why it failed."""

_TIMES_LONGER: Final = 2


@dataclass(frozen=True, slots=True)
class Patience:
    """How long it is tried again."""

    first: timedelta = timedelta(seconds=1)  # before the second try; twice as long before each next one
    longest: timedelta = timedelta(minutes=1)
    total: timedelta = timedelta(minutes=5)  # from when the notice came in; each is tried once at least


class Delivery:
    """The notices for one destination. Its task ends, and says so, when there are none left."""

    def __init__(
        self, *, clock: Clock, patience: Patience, on_outcome: OnOutcome, on_end: Callable[[], object]
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._on_outcome = on_outcome
        self._on_end = on_end
        self._backlog = Backlog()
        self._waiting: dict[str, tuple[Send, float]] = {}  # by id
        self._task: asyncio.Task[None] | None = None

    def take(self, notice: Notice, send: Send) -> None:
        """Take in a notice and how it is sent."""
        self._waiting[notice.id] = (send, self._clock.monotonic())
        if (dropped := self._backlog.put(notice)) is not None:
            self._waiting.pop(dropped.id, None)
            self._on_outcome(dropped, "dropped", "")
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._deliver(), name="deliver notices")

    def cancel(self) -> None:
        """Give up everything."""
        if self._task is not None:
            self._task.cancel()

    async def _deliver(self) -> None:
        while (notice := self._backlog.take()) is not None:
            send, since = self._waiting.pop(notice.id)
            error = await self._try(send, until=since + self._patience.total.total_seconds())
            self._on_outcome(notice, "told" if error is None else "failed", error or "")
        self._on_end()

    async def _try(self, send: Send, *, until: float) -> str | None:
        """Send until it succeeds, or there is no more hope; return why it failed."""
        pause = self._patience.first.total_seconds()
        while True:
            try:
                await send()
            except (Throttled, Unanswered) as error:
                if self._clock.monotonic() + pause > until:
                    return str(error)
            except HotdeskError as error:
                return str(error)
            except Exception as error:
                # A fault of ours in one notice must not keep the next ones from being delivered.
                log.exception("a notice could not be sent")
                return repr(error)
            else:
                return None
            await asyncio.sleep(pause)
            pause = min(pause * _TIMES_LONGER, self._patience.longest.total_seconds())
