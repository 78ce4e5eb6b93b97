"""How long machines have run today for each owner, and who has used up what a day allows; a day is one of UTC."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hotdesk.core.quota.stretches import DAY, Stretch, midnight_before

_ZERO = timedelta()


@dataclass(slots=True)
class _Owner:
    """One owner's day; what runs adds `running` seconds each second."""

    ended: timedelta = _ZERO  # in stretches that are off the machines' records
    closed: timedelta = _ZERO  # in stretches that have ended and are still on one
    running: int = 0
    ages: timedelta = _ZERO  # the sum of how long after midnight each running stretch began

    def used(self, since_midnight: timedelta) -> timedelta:
        return max(_ZERO, self.ended + self.closed + self.running * since_midnight - self.ages)


@dataclass(slots=True)
class OwnerMinutes:
    """Who has used how much of the day; what a change costs does not grow with how much exists.

    Only `turn` moves the clock: what it returned is what `is_used_up` says until it is called again, or until news of
    an owner's time come in. Nothing is kept here that the records of machines and of the pool do not hold.
    """

    limit: timedelta | None = None
    midnight: datetime | None = None  # when the day began; None before the first turn
    _now: datetime | None = None
    _ended: Mapping[str, timedelta] = field(default_factory=dict)
    _ended_on: datetime | None = None  # the midnight of the day that this is about
    _stretches: dict[str, Stretch] = field(default_factory=dict)
    _owners: dict[str, _Owner] = field(default_factory=dict)
    _used_up: set[str] = field(default_factory=set)
    _due: list[tuple[datetime, str]] = field(default_factory=list)

    def allow(self, limit: timedelta | None) -> None:
        """Take in how much a day allows; None allows everything."""
        self.limit = limit
        self._reckon()

    def take_ended(self, ended: Mapping[str, timedelta], *, midnight: datetime | None) -> set[str]:
        """Take in what owners have used, off the machines' records, on the day of `midnight`; return as `put`."""
        is_of_today = midnight is not None and midnight == self.midnight
        before = self._ended if self._ended_on == self.midnight else {}
        self._ended, self._ended_on = ended, midnight
        after = ended if is_of_today else {}
        changed = {owner for owner in before.keys() | after.keys() if before.get(owner) != after.get(owner)}
        if self.midnight is None:
            return set()  # the first turn counts it
        for owner in changed:
            self._owners.setdefault(owner, _Owner()).ended = after.get(owner, _ZERO)
        return self._judge(changed)

    def put(self, stretch: Stretch) -> set[str]:
        """Take in a stretch of time; return the owners that are at the limit now and were not, or the other way."""
        before = self._stretches.get(stretch.key)
        if before == stretch:
            return set()
        self._stretches[stretch.key] = stretch
        if before is not None:
            self._add(before, -1)
        self._add(stretch, 1)
        return self._judge({stretch.owner} | ({before.owner} if before is not None else set()))

    def drop(self, key: str) -> set[str]:
        """Take out a stretch that is counted elsewhere from now on; return as `put`."""
        before = self._stretches.pop(key, None)
        if before is None:
            return set()
        self._add(before, -1)
        return self._judge({before.owner})

    def turn(self, now: datetime) -> set[str]:
        """Let it be now; return the owners that are at the limit now and were not, or the other way."""
        is_back = self._now is not None and now < self._now  # a clock stepped
        self._now = now
        if self.midnight != midnight_before(now):
            self.midnight = midnight_before(now)
            before = set(self._used_up)
            self._reckon()
            return before ^ self._used_up
        due = set(self._used_up) if is_back else set[str]()
        while self._due and self._due[0][0] <= now:
            due.add(heapq.heappop(self._due)[1])
        return self._judge(due)

    def next_turn(self) -> datetime | None:
        """Return when `turn` will have something to say, as far as is known: at the latest at midnight."""
        if self.midnight is None or self.limit is None:
            return None
        end = self.midnight + DAY
        return min(end, self._due[0][0]) if self._due else end

    def is_used_up(self, owner: str) -> bool:
        """Tell whether an owner has used up what the day allows."""
        return owner in self._used_up

    def used(self, owner: str) -> timedelta:
        """Return what an owner has used of the day so far."""
        mine = self._owners.get(owner)
        if mine is None or self._now is None or self.midnight is None:
            return _ZERO
        return mine.used(self._now - self.midnight)

    def used_up_at(self, owner: str) -> datetime | None:
        """Return when an owner's time will be, or was, used up if everything goes on as now; None: not today."""
        mine = self._owners.get(owner)
        if mine is None or self.limit is None or self.midnight is None:
            return None
        missing = self.limit - mine.ended - mine.closed + mine.ages
        if not mine.running:
            return self.midnight if missing <= _ZERO else None
        at = self.midnight + max(_ZERO, -(-missing // mine.running)) if missing > _ZERO else self.midnight
        return at if at < self.midnight + DAY else None

    def _reckon(self) -> None:
        """Count everything anew: a new day, another limit, or other news of what has ended."""
        self._owners.clear()
        self._due.clear()
        known = set(self._used_up)
        self._used_up.clear()
        if self.midnight is None:
            return
        if self._ended_on == self.midnight:
            for owner, ended in self._ended.items():
                self._owners[owner] = _Owner(ended=ended)
        for stretch in self._stretches.values():
            self._add(stretch, 1)
        self._judge({*self._owners, *known})

    def _add(self, stretch: Stretch, sign: int) -> None:
        if self.midnight is None:
            return
        owner = self._owners.setdefault(stretch.owner, _Owner())
        since = max(stretch.since, self.midnight)
        if stretch.until is not None:
            owner.closed += sign * max(_ZERO, min(stretch.until, self.midnight + DAY) - since)
            return
        owner.running += sign
        owner.ages += sign * (since - self.midnight)

    def _judge(self, owners: set[str]) -> set[str]:
        """Sort owners by whether they are at the limit; return those for which that has changed."""
        changed: set[str] = set()
        for name in owners:
            at = self.used_up_at(name)
            is_used_up = at is not None and self._now is not None and at <= self._now
            if is_used_up is not (name in self._used_up):
                changed.add(name)
                (self._used_up.add if is_used_up else self._used_up.discard)(name)
            if at is not None and not is_used_up:
                heapq.heappush(self._due, (at, name))
        return changed
