"""Whose life is to be looked at, and when: kept as the news comes in, so that a pass costs what is due."""

import heapq
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Workspace
from hotdesk.core.evidence import Evidence
from hotdesk.core.names import Names


@dataclass(frozen=True, slots=True)
class Unsaved:
    """Why files are not saved yet; what has not failed goes on."""

    because: str
    has_failed: bool


@dataclass(slots=True)
class LifeBook:
    """What of the lifecycle is remembered; all of it but the objects may be lost in a restart."""

    uptime: timedelta = timedelta()  # of the process, on a clock that never steps; set before each pass
    evidence: dict[str, Evidence] = field(default_factory=dict)  # by machine: its latest answer
    moving: Names = field(default_factory=Names)  # machines with something to be started, stopped or saved
    astir: Names = field(default_factory=Names)  # UIDs that something happened to
    without_room: set[str] = field(default_factory=set)  # machines that AWS had no room to start
    troubles: dict[tuple[str, int], Unsaved] = field(default_factory=dict)  # by machine and slot
    _due: dict[str, datetime] = field(default_factory=dict)  # by UID: when it is to be looked at next
    _heap: list[tuple[datetime, str]] = field(default_factory=list)
    _warned: dict[str, tuple[datetime, timedelta]] = field(default_factory=dict)  # by UID: warning, uptime at that time

    def stir(self, uid: str) -> None:
        """Have a workspace looked at in the next pass."""
        self.astir.add(uid)

    def put(self, uid: str, at: datetime) -> None:
        """Have a workspace looked at when `at` has come, instead of when was said before."""
        self._due[uid] = at
        heapq.heappush(self._heap, (at, uid))

    def due(self, *, now: datetime) -> tuple[str, ...]:
        """Return who is to be looked at now, those that something happened to included."""
        while self._heap and self._heap[0][0] <= now:
            at, uid = heapq.heappop(self._heap)
            if self._due.get(uid) == at:
                del self._due[uid]
                self.astir.add(uid)
        return tuple(self.astir)

    def next_due(self) -> datetime | None:
        """Return when somebody is to be looked at next, as far as time alone decides."""
        return self._heap[0][0] if self._heap else None

    def saw(self, workspace: Workspace) -> None:
        """Take in a workspace: from now on its warning, if it has one, is known."""
        uid, told = workspace.metadata.uid, workspace.status.next
        if told is None or told.warned_at is None:
            self._warned.pop(uid, None)
        elif uid not in self._warned or self._warned[uid][0] != told.warned_at:
            self._warned[uid] = (told.warned_at, self.uptime)
        self.astir.add(uid)

    def forget(self, uid: str) -> None:
        """Take in that a workspace is gone."""
        self._due.pop(uid, None)
        self._warned.pop(uid, None)
        self.astir.discard(uid)

    def warned_for(self, uid: str) -> timedelta:
        """Return for how long this process has known of the workspace's warning."""
        return self.uptime - self._warned[uid][1] if uid in self._warned else timedelta()

    def forget_machine(self, name: str) -> None:
        """Take in that a machine is gone."""
        self.evidence.pop(name, None)
        self.moving.discard(name)
        self.without_room.discard(name)
        for key in [key for key in self.troubles if key[0] == name]:
            del self.troubles[key]
