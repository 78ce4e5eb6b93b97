"""How many workspaces of one owner a pool serves at once, and for how long, counted as the news comes in."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Quota, Today
from hotdesk.core.eligibility import Obstacle
from hotdesk.core.quota.minutes import OwnerMinutes
from hotdesk.core.quota.stretches import DAY, Stretch
from hotdesk.core.quota.today import ended_of

NO_QUOTA = Quota()
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Rank:
    """Where a workspace stands among those of its owner that ask for a machine; the lowest is admitted first.

    It never changes by what comes later, and every operator that hears the same news ranks alike: so two operators at
    once admit the same workspaces, and not twice as many.
    """

    is_newcomer: bool = True  # who was stopped or archived has its place, and files, already: it comes first
    is_new: bool  # a claim that was found comes before a claim that is still to be made
    created_at: datetime
    version: int  # at which it was first seen: creation times have whole seconds only
    uid: str


@dataclass(slots=True)
class _Owner:
    running: set[str] = field(default_factory=set)  # UIDs that have a machine, or whose claim is under way
    resting: set[str] = field(default_factory=set)  # UIDs that were stopped or archived, and want no machine
    asking: list[Rank] = field(default_factory=list)  # those that may have one but for the quota, first come first
    returning: int = 0  # so many of `asking`, from the front, were stopped or archived
    admitted: int = 0  # so many of `asking`, from the front, are within the quota

    @property
    def use(self) -> int:
        """How many run, or may."""
        return len(self.running) + self.admitted

    @property
    def newcomers(self) -> int:
        """How many newcomers are admitted."""
        return max(0, self.admitted - self.returning)

    @property
    def places(self) -> int:
        """How many workspaces there are within the quota, stopped ones included."""
        return len(self.running) + len(self.resting) + self.returning + self.newcomers

    @property
    def is_empty(self) -> bool:
        return not (self.running or self.resting or self.asking)


_Place = tuple[str, "Rank | bool"]  # owner, and the rank while it asks, or whether it runs


@dataclass(slots=True)
class OwnerQuota:
    """Who of each owner is within the quota; what a change costs does not grow with the number of workspaces.

    Who has a machine always is: a quota takes none away at once. `run`, `rest`, `ask`, `leave`, and what concerns the
    minutes of the day, return the other workspaces for which the change matters: they came within the quota, or are
    beyond it now, or are to be told other numbers.
    """

    pool: str
    limits: Quota = NO_QUOTA
    minutes: OwnerMinutes = field(default_factory=OwnerMinutes)  # read it; changes go through the methods here
    _owners: dict[str, _Owner] = field(default_factory=dict)
    _places: dict[str, _Place] = field(default_factory=dict)  # by UID

    def limit(self, limits: Quota | None) -> None:
        """Take in the quota as it is now: everybody is to be asked about anew."""
        self.limits = limits or NO_QUOTA
        most = self.limits.max_minutes_per_owner_per_day
        self.minutes.allow(None if most is None else most * _MINUTE)
        for name, owner in self._owners.items():
            self._draw(name, owner)

    def hold(self, uid: str, *, owner: str) -> set[str]:
        """Count a workspace that has a machine that is not stopped, or is getting one."""
        return self._move(uid, (owner, True))

    def rest(self, uid: str, *, owner: str) -> set[str]:
        """Count a workspace that is stopped or archived and wants to stay so."""
        return self._move(uid, (owner, False))

    def ask(self, rank: Rank, *, owner: str) -> set[str]:
        """Count a workspace that wants a machine and may have one as far as anything else goes."""
        return self._move(rank.uid, (owner, rank))

    def leave(self, uid: str) -> set[str]:
        """Count a workspace no more."""
        return self._move(uid, None)

    def turn(self, now: datetime) -> set[str]:
        """Let it be now, for the minutes of the day."""
        return self._redraw_all(self.minutes.turn(now))

    def put(self, stretch: Stretch) -> set[str]:
        """Take in for how long a machine ran for an owner, or since when it runs."""
        return self._redraw_all(self.minutes.put(stretch))

    def drop(self, key: str) -> set[str]:
        """Take out a stretch that is counted elsewhere."""
        return self._redraw_all(self.minutes.drop(key))

    def take_today(self, today: Today | None) -> set[str]:
        """Take in what the pool's status says of the day; what it counts is not counted here once more."""
        ended, midnight = ended_of(today)
        changed = self.minutes.take_ended(ended, midnight=midnight)
        for key in today.counted if today is not None else ():
            changed ^= self.minutes.drop(key)
        return self._redraw_all(changed)

    def obstacle(self, uid: str) -> Obstacle | None:
        """Return what keeps a workspace that was counted from being served, or None if it is within the quota."""
        name, rank = self._places[uid]
        owner = self._owners[name]
        if isinstance(rank, bool) or bisect_left(owner.asking, rank) < owner.admitted:
            return None
        if self.minutes.is_used_up(name):
            return Obstacle("QuotaExceeded", self._sentence_of_minutes(name), stalled=False)
        return Obstacle("QuotaExceeded", self._sentence(name, owner, is_newcomer=rank.is_newcomer))

    def _move(self, uid: str, after: _Place | None) -> set[str]:
        before = self._places.get(uid)
        if before == after:
            return set()
        if after is None:
            del self._places[uid]
        else:
            self._places[uid] = after
        uses = {place[0]: self._use(place[0]) for place in (before, after) if place is not None}
        if before is not None:
            _take_out(self._owners[before[0]], uid, before[1])
        if after is not None:
            _put_in(self._owners.setdefault(after[0], _Owner()), uid, after[1])
        return {other for name, use in uses.items() for other in self._redraw(name, use=use)} - {uid}

    def _redraw_all(self, names: set[str]) -> set[str]:
        """Draw anew for owners who have used up their minutes, or may go on; that matters to all who run or ask."""
        concerned: set[str] = set()
        for name in names & self._owners.keys():
            owner = self._owners[name]
            self._draw(name, owner)
            concerned |= owner.running | {rank.uid for rank in owner.asking}
        return concerned

    def _redraw(self, name: str, *, use: tuple[int, int]) -> set[str]:
        owner = self._owners[name]
        before = owner.admitted
        self._draw(name, owner)
        first, last = sorted((before, owner.admitted))
        if use != self._use(name):  # all who are beyond the quota were told how much of it is used
            last = len(owner.asking)
        if owner.is_empty:
            del self._owners[name]
        return {rank.uid for rank in owner.asking[first:last]}

    def _draw(self, name: str, owner: _Owner) -> None:
        """Admit from the front: returning ones as far as more may run, newcomers as far as there are places too."""
        most, running = self.limits.max_workspaces_per_owner, self.limits.max_running_per_owner
        wanted = len(owner.asking)
        if most is not None:
            taken = len(owner.running) + len(owner.resting) + owner.returning
            wanted = min(wanted, owner.returning + max(0, most - taken))
        if running is not None:
            wanted = min(wanted, max(0, running - len(owner.running)))
        owner.admitted = 0 if self.minutes.is_used_up(name) else wanted

    def _use(self, name: str) -> tuple[int, int]:
        owner = self._owners.get(name)
        return (owner.use, owner.places) if owner is not None else (0, 0)

    def _sentence(self, name: str, owner: _Owner, *, is_newcomer: bool) -> str:
        most = self.limits.max_workspaces_per_owner
        if is_newcomer and most is not None and owner.places >= most:
            return self._said(name, owner.places, most, what="workspaces", field="Workspaces", remedy="delete")
        limit = self.limits.max_running_per_owner or 0
        return self._said(name, owner.use, limit, what="running workspaces", field="Running", remedy="stop or delete")

    def _said(self, name: str, use: int, limit: int, *, what: str, field: str, remedy: str) -> str:
        return (
            f'Owner "{name}" uses {use} of the {limit} {what} that MachinePool {self.pool} allows one owner '
            f"(spec.quota.max{field}PerOwner): {remedy} one of them, or have the quota raised. "
            "The oldest that is held back is served next."
        )

    def _sentence_of_minutes(self, name: str) -> str:
        """Say it without the minute: it would have to be told anew each minute."""
        midnight = self.minutes.midnight
        until = f" at {midnight + DAY:%Y-%m-%d %H:%M} UTC" if midnight is not None else ""
        limit = self.limits.max_minutes_per_owner_per_day
        return (
            f'Owner "{name}" has used up the {limit} minutes a day that MachinePool {self.pool} allows one owner '
            f"(spec.quota.maxMinutesPerOwnerPerDay). It is served again{until}, or when the quota is raised."
        )


def _take_out(owner: _Owner, uid: str, rank: Rank | bool) -> None:  # noqa: FBT001  # a part of a place
    if isinstance(rank, bool):
        (owner.running if rank else owner.resting).discard(uid)
        return
    index = bisect_left(owner.asking, rank)
    del owner.asking[index]
    owner.admitted -= index < owner.admitted
    owner.returning -= not rank.is_newcomer


def _put_in(owner: _Owner, uid: str, rank: Rank | bool) -> None:  # noqa: FBT001
    if isinstance(rank, bool):
        (owner.running if rank else owner.resting).add(uid)
        return
    insort(owner.asking, rank)
    owner.admitted += bisect_left(owner.asking, rank) < owner.admitted
    owner.returning += not rank.is_newcomer
