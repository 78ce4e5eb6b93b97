"""A random day of claims, stops, wakes, deletions and losses: the ledger holds what really ran, and nothing twice.

The operator here has no memory at all: each pass begins with what the records and EC2 say, and may end at any write,
before it, after it, or with its answer lost. So it is restarted some hundred times a day.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, machine, machine_id, number_of
from hotdesk.adapters.aws.ledger_records import Place, key_of
from hotdesk.api.v1alpha1 import Claim, ClaimedBy, Machine, Reap, Stop, Today, Usage
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.core.quota.stretches import Stretch, midnight_before, stretches_of
from hotdesk.core.quota.stretches import key_of as key_of_used
from hotdesk.core.quota.today import ended_of, is_counted, today_after
from hotdesk.core.usage import (
    Interval,
    claim_time,
    interval_of,
    usage_after,
    used_of,
    with_ends,
)
from hotdesk.core.usage_sums import Period, Sum, summed

RUNNING, STOPPED, TERMINATED = InstanceState.RUNNING, InstanceState.STOPPED, InstanceState.TERMINATED
SECOND = timedelta(seconds=1)
PLACE = Place("finance")
OWNERS = ("ada", "bob", "eve")


class Lost(Exception):  # noqa: N818
    """The operator ends here: before a write, or after it."""


@dataclass
class Ran:
    """What really happened, and how exactly it can be known."""

    owner: str
    start: datetime
    doubt: timedelta  # how wrong the operator's clock was where it had to say when the claim was
    end: datetime | None = None


@dataclass
class Day:
    """AWS, the API server, the ledger and the people, on a clock of their own; the operator's may be off."""

    chance: random.Random
    now: datetime = NOW
    skew: timedelta = timedelta()
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    instances: dict[str, Instance] = field(default_factory=dict)
    records: dict[str, Machine] = field(default_factory=dict)
    seats: dict[str, str] = field(default_factory=dict)  # UID -> machine
    asleep: set[str] = field(default_factory=set)  # UIDs of those that want no machine
    owners: dict[str, str] = field(default_factory=dict)  # of living workspaces
    usages: dict[str, Usage | None] = field(default_factory=dict)
    today: Today | None = None
    ledger: dict[str, Interval] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)  # the keys that were created, in order
    running: dict[str, Ran] = field(default_factory=dict)  # by machine
    ran: list[Ran] = field(default_factory=list)
    crashes: int = 0

    @property
    def clock(self) -> datetime:
        """What the operator takes for now."""
        return self.now + self.skew

    # -- AWS and people -----------------------------------------------------------------------------------------

    def happen(self) -> None:
        """Let one thing happen to somebody."""
        self.now += timedelta(seconds=self.chance.choice([0.3, 1, 7, 60, 900]) * self.chance.uniform(0.5, 1.5))
        what = self.chance.choice(
            [self.create, self.create, self.go, self.come_back, self.come_back, self.delete, self.lose, self.switch_off]
        )
        what()

    def create(self) -> None:
        if len(self.owners) < 8:
            uid = f"uid-{next(self.numbers)}"
            self.owners[uid], self.usages[uid] = self.chance.choice(OWNERS), None

    def go(self) -> None:
        self.asleep |= set(self._some(self.owners.keys() - self.asleep))

    def come_back(self) -> None:
        self.asleep -= set(self._some(self.asleep))

    def delete(self) -> None:
        for uid in self._some(self.owners):
            for kept in (self.owners, self.usages, self.seats):
                kept.pop(uid, None)
            self.asleep.discard(uid)

    def lose(self) -> None:
        """Have AWS take a machine back; of that EC2 tells no time."""
        for name in self._some(n for n, i in self.instances.items() if i.state is RUNNING):
            self._end(name, TERMINATED, told=False)
            # Nobody knows the end better than who looks next: an operator that ends is started again at once.
            while name in self.records and not self._is_known_to_have_ended(self.records[name]):
                self.now += SECOND / 200
                self.notice()

    @staticmethod
    def _is_known_to_have_ended(record: Machine) -> bool:
        return not record.spec.claims and all(used.until is not None for used in record.spec.used)

    def switch_off(self) -> None:
        for name in self._some(n for n, i in self.instances.items() if i.state is RUNNING):
            self._end(name, STOPPED)

    def _some(self, among) -> list[str]:
        known = sorted(among)
        return [self.chance.choice(known)] if known else []

    def _end(self, name: str, state: InstanceState, *, told: bool = True) -> None:
        was = self.instances[name]
        ended_at = self.now.replace(microsecond=0) if told else None
        self.instances[name] = replace(was, state=state, ended_at=ended_at)
        if was.state is RUNNING:
            run = self.running.pop(name)
            run.end = self.now
            run.doubt += abs(self.skew) if not told else timedelta()
            self.ran.append(run)

    def _start(self, name: str) -> None:
        launched_at, ended_at = self.now.replace(microsecond=0), self.instances[name].ended_at
        if ended_at is not None and self.now - ended_at < 2 * SECOND:
            raise Lost  # it is still stopping
        self.instances[name] = replace(self.instances[name], state=RUNNING, launched_at=launched_at, ended_at=None)
        (claim,) = self.records[name].spec.claims
        self.running[name] = Ran(claim.owner, self.now, timedelta())

    # -- the operator -------------------------------------------------------------------------------------------

    def notice(self) -> None:
        """Make a pass, on a clock that may have stepped since the last one."""
        try:
            for name in sorted(self.records):
                self._keep(name)
            for uid in sorted(self.owners.keys() - self.asleep - self.seats.keys()):
                self._claim(uid)
        except Lost:
            self.crashes += 1

    def _write(self, write) -> None:
        """Write, unless the operator ends before; it may end right after, too."""
        fate = self.chance.random()
        if fate < 0.12:
            raise Lost
        write()
        if fate > 0.88:
            raise Lost

    def _swap(self, name: str, **spec: object) -> None:
        known = self.records[name]
        made = known.model_copy(update={"spec": known.spec.model_copy(update=spec)})
        self._write(lambda: self.records.update({name: made}))

    def _claim(self, uid: str) -> None:
        name = machine_id(next(self.numbers))
        claimed_at = claim_time(self.usages[uid], now=self.clock)
        by = ClaimedBy(namespace="team", name=uid, uid=uid)
        claim = Claim(slot=0, workspace=by, owner=self.owners[uid], claimed_at=claimed_at)
        launched_at = self.now - timedelta(hours=1)

        def claim_it() -> None:
            self.instances[name] = Instance(id=name, state=RUNNING, zone="a", launched_at=launched_at)
            made = machine(number_of(name), claims=[claim], launched_at=launched_at)
            self.records[name] = made
            self.seats[uid] = name
            self.running[name] = Ran(claim.owner, self.now, abs(claimed_at - self.now))

        self._write(claim_it)

    def _keep(self, name: str) -> None:
        self._close(name)
        record, seen = self.records[name], self.instances[name]
        holders = [claim for claim in record.spec.claims if self.seats.get(claim.workspace.uid) == name]
        if record.spec.claims and (not holders or seen.state is TERMINATED):
            self._release(name)
        elif record.spec.reap is not None:
            if seen.state is not TERMINATED:
                self._write(lambda: self._end(name, TERMINATED))
        elif record.spec.stop is None and holders and holders[0].workspace.uid in self.asleep:
            self._swap(name, stop=Stop(reason="Idle", at=self.clock, final=True))
        elif record.spec.stop is not None:
            self._rest(name)
        elif seen.state is STOPPED:
            self._write(lambda: self._start(name))
        self._settle(name)

    def _close(self, name: str) -> None:
        """Put the end of a run on record before anything is done that makes EC2 forget it."""
        record, seen = self.records[name], self.instances[name]
        closed = with_ends(record, seen, now=self.clock)
        if closed != record.spec:
            self._swap(name, used=closed.used, claims=closed.claims)

    def _release(self, name: str) -> None:
        """Let go of a machine whose workspace is gone, or which is lost itself."""
        record, seen = self.records[name], self.instances[name]
        used = record.spec.used
        if seen.state is RUNNING:
            used = (*used, *(used_of(record, claim, seen) for claim in record.spec.claims))
        self._swap(name, claims=(), used=used, reap=Reap(reason="Used", at=self.clock))
        for uid in [uid for uid, seat in self.seats.items() if seat == name]:
            del self.seats[uid]

    def _rest(self, name: str) -> None:
        record, seen = self.records[name], self.instances[name]
        if seen.state is RUNNING:
            self._write(lambda: self._end(name, STOPPED))
        elif record.status.stopped_at is None:
            status = record.status.model_copy(update={"stopped_at": self.clock})
            self._write(lambda: self.records.update({name: record.model_copy(update={"status": status})}))
        elif not {claim.workspace.uid for claim in record.spec.claims} & self.asleep:
            self._swap(name, stop=None)
            record = self.records[name]
            status = record.status.model_copy(update={"stopped_at": None})
            self._write(lambda: self.records.update({name: record.model_copy(update={"status": status})}))

    def _settle(self, name: str) -> None:
        """Account for what has ended: in the ledger, at the workspace, in the day's record; then take it off."""
        record, seen = self.records[name], self.instances[name]
        for used in record.spec.used:
            uid = used.workspace.uid
            owed = [
                other
                for one in self.records.values()
                for other in one.spec.used
                if other.workspace.uid == uid and other.since < used.since
            ]
            interval = interval_of(record, used)
            if owed or interval is None:
                continue  # in their order
            kept = self._account(interval)
            if uid in self.usages:
                self._write(lambda uid=uid, kept=kept: self._count(uid, kept))
            if not is_counted(self.today, key_of_used(record, used)):
                self._write(self._count_day)
            self._swap(name, used=tuple(one for one in self.records[name].spec.used if one != used))
        if seen.state is TERMINATED and not self.records[name].spec.claims and not self.records[name].spec.used:
            del self.records[name]

    def _account(self, interval: Interval) -> Interval:
        key = key_of(interval, place=PLACE)

        def put() -> None:
            if key not in self.ledger:
                self.ledger[key] = interval
                self.writes.append(key)

        self._write(put)
        return self.ledger[key]

    def _count(self, uid: str, interval: Interval) -> None:
        self.usages[uid] = usage_after(self.usages[uid], interval)

    def _count_day(self) -> None:
        self.today = today_after(self.today, self._stretches(), now=self.clock)

    def _stretches(self) -> list[Stretch]:
        return [
            stretch
            for name, record in self.records.items()
            for stretch in stretches_of(record, self.instances[name], now=self.clock)
        ]

    # -- the evening ----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Let everybody go, and the operator come to its end."""
        self.skew = timedelta()
        while self.owners:
            self.delete()
        for _ in range(400):
            self.now += SECOND
            self.notice()
            if not self.records:
                return
        raise AssertionError(self.records)


def a_day(seed: int, *, skews: tuple[float, ...] = (0,), finish: bool = True) -> Day:
    day = Day(random.Random(seed))  # noqa: S311  # not a secret
    for _ in range(250):
        day.happen()
        if day.chance.random() < 0.1:
            day.skew = timedelta(seconds=day.chance.choice(skews))
        day.notice()
    if finish:
        day.finish()
    return day


def really(day: Day, owner: str) -> timedelta:
    return sum((ran.end - ran.start for ran in day.ran if ran.owner == owner and ran.end is not None), timedelta())


def recorded(day: Day, owner: str) -> timedelta:
    around = Period(NOW - timedelta(days=2), day.now + timedelta(days=2))
    return summed(day.ledger.values(), by="owner", period=around).get(owner, Sum()).running


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_ledger_holds_what_really_ran_within_a_second_an_interval_and_nothing_twice(seed: int):
    day = a_day(seed)
    assert day.crashes >= 50
    assert len(day.ledger) == len(day.writes) == len({one.identity for one in day.ledger.values()})
    assert len(day.ledger) == len(day.ran)
    for owner in OWNERS:
        mine = [ran for ran in day.ran if ran.owner == owner]
        assert abs(recorded(day, owner) - really(day, owner)) <= len(mine) * SECOND


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_clock_that_steps_is_wrong_by_its_step_about_a_claim_and_about_nothing_else(seed: int):
    day = a_day(seed, skews=(0, 0, 0.3, -0.3, 240, -240))
    assert len(day.ledger) == len(day.writes) == len({one.identity for one in day.ledger.values()})
    assert len(day.ledger) == len(day.ran)
    for owner in OWNERS:
        doubt = sum((SECOND + ran.doubt for ran in day.ran if ran.owner == owner), timedelta())
        assert abs(recorded(day, owner) - really(day, owner)) <= doubt


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_a_workspace_and_the_day_are_told_is_what_the_ledger_holds(seed: int):
    day = a_day(seed, finish=False)
    for uid, usage in day.usages.items():
        mine = [one for one in day.ledger.values() if one.uid == uid]
        counted = [one for one in mine if usage is not None and usage.last_interval >= one.started_at]
        told = usage or Usage()
        assert told.billed_minutes == sum(one.billed_minutes for one in counted)
        assert (
            abs(told.running_seconds * SECOND - sum((one.length for one in counted), timedelta())) <= len(mine) * SECOND
        )
        assert len(mine) - len(counted) <= 1, "at most the one that is being accounted for is not counted yet"
    day.finish()
    midnight = midnight_before(day.now)
    kept = summed(day.ledger.values(), by="owner", period=Period(midnight, midnight + timedelta(days=1)))
    ended, of = ended_of(day.today)
    assert of == midnight or not any(one.running for one in kept.values())
    for owner in OWNERS if of == midnight else ():
        parts = [one for one in day.ledger.values() if one.owner == owner]
        assert abs(ended.get(owner, timedelta()) - kept.get(owner, Sum()).running) <= len(parts) * SECOND
