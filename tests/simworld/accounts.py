"""Time used: for how long machines really ran for whom, and what the ledger and the workspaces say of it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from fakes.apiserver.storage import Json
from hotdesk.adapters.aws.ledger_records import intervals_in
from hotdesk.api.v1alpha1 import Usage
from hotdesk.core.usage import Interval
from hotdesk_local.aws.model import Instance, State
from simworld.awsclients import BOOKS
from simworld.timeline import START
from simworld.world import SimWorld

_RUNS = (State.PENDING, State.RUNNING)
_EXACT = 1.0  # seconds
_SHORT = 0.05  # seconds: a run so short may be on record or not
_JUST = 5.0  # seconds: a start of which nobody has heard yet is on nobody's bill
Seat = tuple[str, str, int]  # UID, machine, slot


@dataclass
class Ran:
    """One run of a machine for a workspace, as it really was; seconds since the world began."""

    seat: Seat
    owner: str
    start: float
    doubt: float = 0.0  # seconds by which the clock of who had to say when it began or ended was wrong
    end: float | None = None
    is_start: bool = False  # it began with a start of the machine, not with a claim


@dataclass
class _Machine:
    """Who has a machine, and for whom it runs."""

    claims: dict[Seat, str] = field(default_factory=dict)  # the owner
    open: dict[Seat, Ran] = field(default_factory=dict)
    made: dict[Seat, str] = field(default_factory=dict)  # when each claim says that it was made


class UsageLaw:
    """Follows every claim and every start and end of a machine; judges the ledger by that once all is at rest."""

    def __init__(self, world: SimWorld, breach: Callable[[int | str, str], None]) -> None:
        self._world = world
        self._breach = breach
        self._machines: dict[str, _Machine] = defaultdict(_Machine)
        self._late: dict[Seat, float] = {}  # claims that came when the machine had ended, and when they came
        self._ended: dict[str, float] = {}  # when each machine ended, as EC2 tells it: the last of its steps to the end
        self.ran: list[Ran] = []  # those that are over

    # -- what is written, and what happens to machines ----------------------------------------------------------------

    def machine(self, stored: Json, *, is_gone: bool) -> None:
        """Take in who has a machine from now on."""
        name, spec = stored["metadata"]["name"], stored["spec"]
        known = self._machines[name]
        claims = spec.get("claims", ()) if not is_gone else ()
        held = {(claim["workspace"]["uid"], name, claim["slot"]): claim.get("owner", "") for claim in claims}
        gone, come = known.claims.keys() - held.keys(), held.keys() - known.claims.keys()
        known.claims = held
        made = {(claim["workspace"]["uid"], name, claim["slot"]): claim["claimedAt"] for claim in claims}
        for seat in [seat for seat in made if seat in known.open and known.made.get(seat) != made[seat]]:
            self._made_anew(known, seat)
        known.made = made
        for seat in come:
            if self._runs(name):
                self._begin(known, seat, doubt=self._skew)
            else:
                self._late[seat] = self._now
        for seat in gone if held else ():  # of the last one the time runs on until the machine does not
            self._end(known, seat, doubt=self._skew)
        if not held:
            self._excuse(known)

    def changed(self, instance: Instance, old: str | None, new: str) -> None:
        """Take in that a machine started, or ended its run."""
        known = self._machines[instance.id]
        if new in _RUNS and old not in _RUNS:
            for seat in known.claims:
                self._begin(known, seat, doubt=0.0, is_start=True)
        elif new not in _RUNS:
            if new in ("stopping", "shutting-down"):  # EC2 dates the end by these alone
                self._ended[instance.id] = self._now
            for seat in tuple(known.open):
                self._end(known, seat, doubt=0.0)

    # -- what is on record --------------------------------------------------------------------------------------------

    def recorded(self) -> list[Interval]:
        """Return what the ledger holds."""
        if not self._world.keeps_books:
            return []
        objects = self._world.aws.world.s3.bucket(BOOKS.bucket).objects.values()
        return [one for stored in objects for one in intervals_in(b"".join(stored.content.chunks()))]

    def at_rest(self) -> list[str]:
        """Return what is wrong with the ledger, whatever clocks did: nothing twice, and workspaces are told of all."""
        if not self._world.keeps_books:
            return []
        kept = self.recorded()
        return [*_twice(kept), *self._told_else(kept)]

    def off(self) -> Iterator[str]:
        """Yield each run that is not in the ledger as it was, within a second; wrong clocks excuse what they said."""
        kept, real = _intervals(self.recorded()), _runs(self.ran)
        for seat in sorted(kept.keys() | real.keys()):
            true = real.get(seat, [])
            there = self._without_shadows(seat, kept.get(seat, []), wanted=len(true))
            if len(there) < len(true):  # what ran for less than a second is on record within a second even if it is not
                true = [ran for ran in true if ran.end is None or ran.end - ran.start > _EXACT]
            if len(there) != len(true):
                yield f"{seat}: {len(true)} runs, and {len(there)} on record: {true} {there}"
                continue
            for one, ran in zip(there, true, strict=True):
                assert ran.end is not None
                wrong = abs(one.length.total_seconds() - (ran.end - ran.start))
                if wrong > _EXACT + ran.doubt or one.owner != ran.owner:
                    yield f"{seat} ran from {ran.start:.3f} to {ran.end:.3f} for {ran.owner}, on record is {one}"

    def _without_shadows(self, seat: Seat, there: list[Interval], *, wanted: int) -> list[Interval]:
        """Leave out what was taken for a run: a claim that came when the machine had ended.

        A wrong clock does that, or a second step to the end, after which EC2 tells no more when the first one was.
        """
        most = _EXACT + self._world.largest_skew
        if seat in self._late:
            most += max(0.0, self._ended.get(seat[1], 0.0) - self._late[seat])
        shadows = [one for one in sorted(there, key=lambda one: one.length) if one.length.total_seconds() <= most]
        return [one for one in there if one not in shadows[: max(0, len(there) - wanted)]]

    # -- judging ------------------------------------------------------------------------------------------------------

    def _told_else(self, kept: Iterable[Interval]) -> Iterator[str]:
        """Yield which workspaces are told another sum than the ledger holds."""
        mine: dict[str, list[Interval]] = defaultdict(list)
        for one in kept:
            mine[one.uid].append(one)
        for workspace in self._world.server.objects("workspaces"):
            name, told = workspace["metadata"]["name"], Usage.model_validate(workspace["status"].get("usage") or {})
            held = mine[workspace["metadata"]["uid"]]
            seconds = sum((one.length for one in held), timedelta()).total_seconds()
            minutes = sum(one.billed_minutes for one in held)
            if told.billed_minutes != minutes or abs(told.running_seconds - seconds) > len(held) / 2:
                yield f"{name} is told {told}, the ledger holds {seconds} s, {minutes} minutes in {len(held)} records"

    def _excuse(self, machine: _Machine) -> None:
        """Forget runs that had just begun when the last user left, who was not told that they had."""
        for seat in [seat for seat, ran in machine.open.items() if ran.is_start and self._now - ran.start < _JUST]:
            del machine.open[seat]

    def _made_anew(self, machine: _Machine, seat: Seat) -> None:
        """Let a claim that nobody was told of count from when it is made anew: then its user gets the machine."""
        uid, name, _ = seat
        users = (w for w in self._world.server.objects("workspaces") if w["metadata"]["uid"] == uid)
        if all(user.get("status", {}).get("machine") != name for user in users):
            machine.open[seat].start, machine.open[seat].doubt = self._now, self._skew

    def _begin(self, machine: _Machine, seat: Seat, *, doubt: float, is_start: bool = False) -> None:
        if seat not in machine.open:
            machine.open[seat] = Ran(seat, machine.claims[seat], self._now, doubt, is_start=is_start)

    def _end(self, machine: _Machine, seat: Seat, *, doubt: float) -> None:
        ran = machine.open.pop(seat, None)
        if ran is not None:
            ran.end = self._now
            ran.doubt += doubt
            self.ran.append(ran)

    def _runs(self, name: str) -> bool:
        instance = self._world.aws.world.fleet.instances.get(name)
        return instance is not None and instance.state in _RUNS

    @property
    def _skew(self) -> float:
        """By how much the clock of who writes was ever off, in seconds."""
        return self._world.skews.get(self._world.server.writer, 0.0)

    @property
    def _now(self) -> float:
        return self._world.timeline.now


def seconds_of(moment: datetime) -> float:
    """Return a moment as seconds since the world began."""
    return (moment - START).total_seconds()


def _twice(kept: list[Interval]) -> Iterator[str]:
    """Yield what is on record twice: the same interval, or two of one seat at one time."""
    for identity, number in Counter(one.identity for one in kept).items():
        if number > 1:
            yield f"the ledger holds {number} records of {identity}"
    for seat, mine in _intervals(kept).items():
        for one, other in pairwise(mine):
            if other.started_at < one.ended_at:
                yield f"two records of {seat} overlap: {one}, {other}"


def _intervals(kept: Iterable[Interval]) -> dict[Seat, list[Interval]]:
    found: dict[Seat, list[Interval]] = defaultdict(list)
    for one in sorted(kept, key=lambda one: one.started_at):
        if one.length.total_seconds() > _SHORT:
            found[one.uid, one.machine, one.slot].append(one)
    return found


def _runs(ran: Iterable[Ran]) -> dict[Seat, list[Ran]]:
    found: dict[Seat, list[Ran]] = defaultdict(list)
    for one in sorted(ran, key=lambda one: one.start):
        if one.end is not None and one.end - one.start > _SHORT:
            found[one.seat].append(one)
    return found
