"""Simulated time: one agenda for the whole world, which jumps to whatever is due next. Nothing ever sleeps."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Protocol

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
_NEVER = float("inf")


class Actor(Protocol):
    """A process with an event loop of its own."""

    def due(self) -> float:
        """Return when it has something to do, in seconds; infinity if it waits for others."""

    def step(self) -> float:
        """Do it, and return the CPU seconds that it took."""


class Timeline:
    """Seconds since the start of the world, and what happens when; the same seed gives the same course."""

    def __init__(self, *, seed: int) -> None:
        self.now = 0.0
        self.random = Random(seed)  # noqa: S311  # a course that can be repeated is the point
        self.actors: list[Actor] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    @property
    def moment(self) -> datetime:
        """The time of day by a clock that is right."""
        return START + timedelta(seconds=self.now)

    def later(self, delay: float, happen: Callable[[], None]) -> None:
        """Let something happen after so many seconds."""
        heapq.heappush(self._agenda, (self.now + delay, next(self._order), happen))

    def between(self, least: float, most: float) -> float:
        """Draw a duration."""
        return least + (most - least) * self.random.random()

    def chance(self, probability: float) -> bool:
        """Draw whether something happens."""
        return probability > 0 and self.random.random() < probability

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass, at most so much of it; return whether `until` came true."""
        end = self.now + seconds
        while self.now < end:
            if self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
            else:
                dues = [actor.due() for actor in self.actors]
                ready = [actor for actor, due in zip(self.actors, dues, strict=True) if due <= self.now]
                if ready:
                    chosen = ready[0] if len(ready) == 1 else self.random.choice(ready)
                    self.now += chosen.step()
                else:
                    coming = min([*dues, self._agenda[0][0] if self._agenda else _NEVER])
                    self.now = max(self.now, min(coming, end))
            if until is not None and until():
                return True
        return False
