"""Which beat is written when: the newest one, never back in time, seldom, and at once where something depends on it.

That is the first beat after a claim, one for a workspace that rests (it wakes it), and one after a warning.

Times of beats are wall-clock times, because they are compared with what others have written. Everything about pace
uses a clock that never steps (`at`, seconds).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Final
from zlib import crc32

_SHARE: Final = 0.1  # of the idle timeout
_LEAST: Final = 1.0  # seconds
_JITTER: Final = 0.1  # of the interval: ten thousand that began together are spread, and drift apart


@dataclass(frozen=True, slots=True)
class Known:
    """A living workspace as it was last read."""

    namespace: str
    name: str
    uid: str
    version: int
    waits: bool
    """Whether it has no machine yet. Its beats are dropped: a write could only get in the way of the claim."""
    claimed_at: datetime | None
    last_activity: datetime | None
    rests: bool = False
    """Whether its machine is stopped or gone, or about to be: a beat wakes it, with a machine or without."""
    decided_at: datetime | None = None
    """When it was decided to stop it, or when its user was warned of that: only a later beat changes anything."""
    pool: str = ""
    idle_timeout: timedelta | None = None
    """How long it may idle, if it has a timeout of its own; else its pool's holds."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Somebody works there."""

    at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Write:
    """A beat to be recorded on exactly this version of the workspace."""

    workspace: Known
    beat: Beat


@dataclass(slots=True)
class _Desk:
    known: Known
    held_until: float = 0.0
    newest: Beat | None = None
    queued_for: float | None = None
    is_writing: bool = False
    failures: int = 0
    answered: tuple[bool, datetime | None] | None = None  # the rest or the warning for which a beat was written


class Heartbeats:
    """What is known of every workspace, and the beats that are still to be written: at most one for each."""

    def __init__(self, *, interval: timedelta) -> None:
        """`interval` holds between two records where it is not known how long a workspace may idle."""
        self._interval = interval.total_seconds()
        self._timeouts: dict[str, timedelta] = {}  # by pool
        self._desks: dict[str, _Desk] = {}
        self._queue: list[tuple[float, str]] = []  # a heap; an entry counts only while its desk is queued for it

    def __contains__(self, uid: str) -> bool:
        return uid in self._desks

    def __iter__(self) -> Iterator[str]:
        return iter(self._desks)

    @property
    def waiting(self) -> int:
        """How many beats are still to be written."""
        return sum(desk.newest is not None for desk in self._desks.values())

    @property
    def next_due(self) -> float | None:
        """When `take` may have something to write; None: not before something happens."""
        return self._queue[0][0] if self._queue else None

    def find(self, uid: str) -> Known | None:
        """Return what is known of a workspace."""
        desk = self._desks.get(uid)
        return desk.known if desk is not None else None

    def knows(self, pool: str) -> bool:
        """Tell whether it is known how long workspaces of a pool may idle."""
        return pool in self._timeouts

    # -- what happens -----------------------------------------------------------------------------------------------

    def observe(self, known: Known, *, now: datetime, at: float) -> None:
        """Take in a workspace; news older than what is known is ignored."""
        desk = self._desks.get(known.uid)
        if desk is None:
            desk = self._desks[known.uid] = _Desk(known)
            self._hold_back(desk, now=now, at=at)
            return
        before = desk.known
        if known.version <= before.version:
            return
        desk.known = known
        if (known.pool, known.idle_timeout) != (before.pool, before.idle_timeout):
            self._hurry(desk, at=at)
        if known.last_activity != before.last_activity:
            self._hold_back(desk, now=now, at=at)
        if known.claimed_at != before.claimed_at and known.claimed_at is not None:
            self._drop(desk, before=known.claimed_at)  # it says nothing about this machine
        self._consider(desk)

    def observe_pool(self, pool: str, *, idle_timeout: timedelta | None, at: float) -> None:
        """Take in how long workspaces of a pool may idle; None: for ever, or nobody knows."""
        if self._timeouts.get(pool) == idle_timeout:
            return
        if idle_timeout is None:
            del self._timeouts[pool]
        else:
            self._timeouts[pool] = idle_timeout
        for desk in self._desks.values():
            if desk.known.pool == pool:
                self._hurry(desk, at=at)

    def forget(self, uid: str) -> None:
        """Take in that a workspace is gone."""
        self._desks.pop(uid, None)

    def beat(self, uid: str, beat: Beat) -> None:
        """Take in a beat; the newest wins."""
        desk = self._desks.get(uid)
        if desk is None or desk.known.waits or (desk.newest is not None and beat.at <= desk.newest.at):
            return
        desk.newest = beat
        self._consider(desk)

    # -- what is to be written --------------------------------------------------------------------------------------

    def take(self, *, at: float, limit: int) -> tuple[Write, ...]:
        """Return what is to be written now, at most so many. Each must be answered by `written` or `failed`."""
        writes: list[Write] = []
        while len(writes) < limit and self._queue and self._queue[0][0] <= at:
            due, uid = heappop(self._queue)
            desk = self._desks.get(uid)
            if desk is None or desk.queued_for != due:
                continue
            desk.queued_for = None
            if self._consider(desk, at=at) and desk.newest is not None:
                desk.is_writing = True
                writes.append(Write(workspace=desk.known, beat=desk.newest))
        return tuple(writes)

    def written(self, write: Write, known: Known, *, now: datetime, at: float) -> None:
        """Take in that a write had its effect, and the workspace as it is now."""
        desk = self._desks.get(write.workspace.uid)
        if desk is None:
            return
        desk.is_writing, desk.failures = False, 0
        desk.answered = _decision(write.workspace)
        desk.held_until = at + self._pause(desk)
        self.observe(known, now=now, at=at)
        self._consider(desk)

    def failed(self, write: Write, *, at: float, pause: timedelta) -> None:
        """Take in that a write had no effect that we know of. It is tried again after the pause, longer each time."""
        desk = self._desks.get(write.workspace.uid)
        if desk is None:
            return
        desk.is_writing = False
        desk.failures += 1
        wait = min(pause.total_seconds() * 2 ** min(desk.failures - 1, 16), self._interval_of(desk))
        self._consider(desk, not_before=at + wait)

    # -- the inside -------------------------------------------------------------------------------------------------

    def _consider(self, desk: _Desk, *, at: float | None = None, not_before: float = 0.0) -> bool:
        """Queue what the desk has to write, or return True if its time has come by `at`."""
        if desk.is_writing:
            return False
        if desk.known.last_activity is not None:
            self._drop(desk, before=desk.known.last_activity, included=True)
        if desk.newest is None or desk.known.waits:
            return False
        due = max(not_before, 0.0 if _is_first(desk) or _is_decisive(desk) else desk.held_until)
        if at is not None and due <= at:
            return True
        # Queued earlier: looked at again then. While failures are counted, nothing is due before the pause is over.
        if desk.queued_for is None or (due < desk.queued_for and not desk.failures):
            desk.queued_for = due
            heappush(self._queue, (due, desk.known.uid))
        return False

    def _hold_back(self, desk: _Desk, *, now: datetime, at: float) -> None:
        """Count the interval from what is recorded: another gateway may have written it."""
        if desk.known.last_activity is None:
            return
        age = max(0.0, (now - desk.known.last_activity).total_seconds())
        desk.held_until = max(desk.held_until, at + self._pause(desk) - age)

    def _hurry(self, desk: _Desk, *, at: float) -> None:
        """Let nobody wait longer than the interval of now."""
        desk.held_until = min(desk.held_until, at + self._pause(desk))
        self._consider(desk)

    def _interval_of(self, desk: _Desk) -> float:
        """Return a tenth of the time that a workspace may idle: what is on record is never much older."""
        timeout = desk.known.idle_timeout or self._timeouts.get(desk.known.pool)
        return self._interval if timeout is None else max(_LEAST, _SHARE * timeout.total_seconds())

    def _pause(self, desk: _Desk) -> float:
        return self._interval_of(desk) * (1 + _JITTER * crc32(desk.known.uid.encode()) / 2**32)

    @staticmethod
    def _drop(desk: _Desk, *, before: datetime, included: bool = False) -> None:
        if desk.newest is not None and (desk.newest.at < before or (included and desk.newest.at == before)):
            desk.newest = None


def _is_first(desk: _Desk) -> bool:
    """Whether nothing was recorded since the claim, and the beat is from after it."""
    claimed_at, recorded = desk.known.claimed_at, desk.known.last_activity
    if claimed_at is None or desk.newest is None or desk.newest.at < claimed_at:
        return False
    return recorded is None or recorded < claimed_at


def _is_decisive(desk: _Desk) -> bool:
    """Whether the beat may change what was decided, or is about to be, and nothing recorded has yet.

    One from before the decision may not have been seen by whoever decided: it is written at once too, but once.
    """
    decision, recorded = _decision(desk.known), desk.known.last_activity
    if decision is None or desk.newest is None:
        return False
    _, decided_at = decision
    if decided_at is not None and recorded is not None and recorded > decided_at:
        return False
    return desk.answered != decision or (decided_at is not None and desk.newest.at > decided_at)


def _decision(known: Known) -> tuple[bool, datetime | None] | None:
    return (known.rests, known.decided_at) if known.rests or known.decided_at is not None else None
