"""A process of its own: an event loop on simulated time that can be stopped, continued and killed between two steps."""

import asyncio
import heapq
import threading
from asyncio import base_events, events
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from simworld.timeline import START, Timeline

_STEP = 20e-6  # CPU seconds of one callback
_NEVER = float("inf")
_LAST_TURNS = 50
Executor = Callable[..., "asyncio.Future[Any]"]


class _NoFiles:
    """The selector of a loop that knows neither files nor sockets."""

    def select(self, _timeout: float | None) -> list[object]:
        return []


class ProcessLoop(base_events.BaseEventLoop):
    """asyncio's own loop with the time of the world; whoever owns it makes it turn."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()
        self._selector = _NoFiles()
        self._clock_resolution = 1e-9
        self._timeline = timeline
        self.executor: Executor | None = None

    def time(self) -> float:
        return self._timeline.now

    def due(self) -> float:
        """Return when the next callback is due."""
        if self._ready:
            return self._timeline.now
        while self._scheduled and self._scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
        return self._scheduled[0]._when if self._scheduled else _NEVER

    def turn(self) -> float:
        """Run everything that is ready, once."""
        before = events._get_running_loop()
        events._set_running_loop(None)
        events._set_running_loop(self)
        self._thread_id = threading.get_ident()
        ready = len(self._ready) or 1
        try:
            self._run_once()
        finally:
            self._thread_id = None
            events._set_running_loop(before)
        return ready * _STEP

    def run_in_executor(self, executor, func, *args):  # noqa: ARG002  # a thread would bring real time in
        """Hand a blocking call to whoever plays the rest of the world."""
        assert self.executor is not None
        return self.executor(func, *args)

    def _process_events(self, event_list) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class Process:
    """One operator's process. Killed, it never takes another step; paused, news waits for it as it does in a socket."""

    def __init__(self, name: str, timeline: Timeline) -> None:
        self.name = name
        self.loop = ProcessLoop(timeline)
        self.is_dead = False
        self.is_paused = False
        self.skew = 0.0  # seconds that its wall clock is ahead
        self._timeline = timeline
        self._tasks: list[asyncio.Task[Any]] = []
        timeline.actors.append(self)

    def due(self) -> float:
        return _NEVER if self.is_paused or self.is_dead else self.loop.due()

    def step(self) -> float:
        return self.loop.turn()

    def begin(self, work: Coroutine[Any, Any, Any], *, name: str) -> "asyncio.Task[Any]":
        """Start a task in the process; call it from outside or from within."""
        task = self.loop.create_task(work, name=name)
        self._tasks.append(task)
        return task

    def hear(self, happen: Callable[[], None]) -> None:
        """Let something from outside reach the process."""
        if not self.is_dead:
            self.loop.call_soon(happen)

    def kill(self) -> None:
        """End it as SIGKILL does: nothing is tidied up, and what it sent is on its way."""
        if not self.is_dead:
            self.is_dead = True
            self._timeline.actors.remove(self)
            for task in asyncio.all_tasks(self.loop):
                task._log_destroy_pending = False

    def bury(self) -> None:
        """Tidy up after it in this test's process: none of it reaches the world any more."""
        self.kill()
        for _ in range(_LAST_TURNS):
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            if not self.loop._ready:
                break
            self.loop.turn()
        self.loop.close()

    def now(self) -> datetime:
        """Return the time by the process's wall clock; with `monotonic` this is the Clock port."""
        return START + timedelta(seconds=self._timeline.now + self.skew)

    def monotonic(self) -> float:
        return self._timeline.now
