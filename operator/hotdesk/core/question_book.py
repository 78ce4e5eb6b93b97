"""About which machines the question who works there may have changed: so that asking costs what changed."""

import heapq
from dataclasses import dataclass, field
from datetime import datetime

from hotdesk.core.names import Names


@dataclass(slots=True)
class QuestionBook:
    """Machines whose question is to be looked at anew: something happened to them, or a moment has come."""

    _doubtful: Names = field(default_factory=Names)
    _moments: dict[str, datetime] = field(default_factory=dict)  # by machine: when time alone changes its question
    _heap: list[tuple[datetime, str]] = field(default_factory=list)

    def doubt(self, machine: str) -> None:
        """Take in that something happened to a machine, or to who works there."""
        self._doubtful.add(machine)

    def put(self, machine: str, at: datetime) -> None:
        """Have a machine looked at when `at` has come; an earlier moment that was said before stands."""
        known = self._moments.get(machine)
        if known is None or at < known:
            self._moments[machine] = at
            heapq.heappush(self._heap, (at, machine))

    def take(self, *, now: datetime) -> tuple[str, ...]:
        """Return the machines to be looked at now, each once."""
        while self._heap and self._heap[0][0] <= now:
            at, machine = heapq.heappop(self._heap)
            if self._moments.get(machine) == at:
                del self._moments[machine]
                self._doubtful.add(machine)
        taken = tuple(self._doubtful)
        self._doubtful = Names()
        return taken
