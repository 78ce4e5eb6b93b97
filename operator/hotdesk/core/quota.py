"""How many workspaces of one owner a pool serves at once, counted as the news comes in."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import datetime

from hotdesk.api.v1alpha1 import Quota
from hotdesk.core.eligibility import Obstacle

NO_QUOTA = Quota()


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """Where a workspace stands among those of its owner that ask for a machine; the lowest is admitted first.

    It never changes by what comes later, and every operator that hears the same news ranks alike: so two operators at
    once admit the same workspaces, and not twice as many.
    """

    is_new: bool  # a claim that was found comes before a claim that is still to be made
    created_at: datetime
    version: int  # at which it was first seen: creation times have whole seconds only
    uid: str


@dataclass(slots=True)
class _Owner:
    holding: set[str] = field(default_factory=set)  # UIDs that have a machine, or whose claim is under way
    asking: list[Rank] = field(default_factory=list)  # those that may have one but for the quota, oldest first
    admitted: int = 0  # so many of `asking`, from the front, are within the quota

    @property
    def use(self) -> int:
        return len(self.holding) + self.admitted


@dataclass(slots=True)
class OwnerQuota:
    """Who of each owner is within the quota; what a change costs does not grow with the number of workspaces.

    Who holds a machine always is: a quota takes no machine away. `hold`, `ask` and `leave` return the other workspaces
    for which the change matters: they came within the quota, or are beyond it now, or are to be told other numbers.
    """

    pool: str
    limits: Quota = NO_QUOTA
    _owners: dict[str, _Owner] = field(default_factory=dict)
    _places: dict[str, tuple[str, Rank | None]] = field(default_factory=dict)  # by UID: owner, and rank while it asks

    def limit(self, limits: Quota | None) -> None:
        """Take in the quota as it is now: everybody is to be asked about anew."""
        self.limits = limits or NO_QUOTA
        for owner in self._owners.values():
            self._draw(owner)

    def hold(self, uid: str, *, owner: str) -> set[str]:
        """Count a workspace that has a machine, or is getting one."""
        return self._move(uid, (owner, None))

    def ask(self, rank: Rank, *, owner: str) -> set[str]:
        """Count a workspace that wants a machine and may have one as far as anything else goes."""
        return self._move(rank.uid, (owner, rank))

    def leave(self, uid: str) -> set[str]:
        """Count a workspace no more."""
        return self._move(uid, None)

    def obstacle(self, uid: str) -> Obstacle | None:
        """Return what keeps a workspace that was counted from being served, or None if it is within the quota."""
        name, rank = self._places[uid]
        owner = self._owners[name]
        if rank is None or bisect_left(owner.asking, rank) < owner.admitted:
            return None
        return Obstacle("QuotaExceeded", self._sentence(name, use=owner.use))

    def _move(self, uid: str, after: tuple[str, Rank | None] | None) -> set[str]:
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

    def _redraw(self, name: str, *, use: int) -> set[str]:
        owner = self._owners[name]
        before = owner.admitted
        self._draw(owner)
        first, last = sorted((before, owner.admitted))
        if use != owner.use:  # all who are beyond the quota were told how much of it is used
            last = len(owner.asking)
        if not owner.holding and not owner.asking:
            del self._owners[name]
        return {rank.uid for rank in owner.asking[first:last]}

    def _draw(self, owner: _Owner) -> None:
        limit = self._limit()
        room = len(owner.asking) if limit is None else max(0, limit - len(owner.holding))
        owner.admitted = min(room, len(owner.asking))

    def _use(self, name: str) -> int:
        return self._owners[name].use if name in self._owners else 0

    def _limit(self) -> int | None:
        """Return the lower limit: as long as no workspace can be stopped, all that exist run or wait to."""
        set_ = (self.limits.max_workspaces_per_owner, self.limits.max_running_per_owner)
        return min((limit for limit in set_ if limit is not None), default=None)

    def _sentence(self, owner: str, *, use: int) -> str:
        limit = self._limit()
        is_running = limit != self.limits.max_workspaces_per_owner
        what, name = ("running workspaces", "Running") if is_running else ("workspaces", "Workspaces")
        return (
            f'Owner "{owner}" uses {use} of the {limit} {what} that MachinePool {self.pool} allows one owner '
            f"(spec.quota.max{name}PerOwner): delete one of them, or have the quota raised. "
            "The oldest that is held back is served next."
        )


def _take_out(owner: _Owner, uid: str, rank: Rank | None) -> None:
    if rank is None:
        owner.holding.discard(uid)
        return
    index = bisect_left(owner.asking, rank)
    del owner.asking[index]
    owner.admitted -= index < owner.admitted


def _put_in(owner: _Owner, uid: str, rank: Rank | None) -> None:
    if rank is None:
        owner.holding.add(uid)
        return
    insort(owner.asking, rank)
    owner.admitted += bisect_left(owner.asking, rank) < owner.admitted
