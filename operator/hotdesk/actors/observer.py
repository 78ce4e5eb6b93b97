"""Looking at AWS: pools that share a region and credentials share a few paginated calls."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from hotdesk.actors.world import Pace, World
from hotdesk.core.facts import Group, Instance, InstanceState, LaunchFailure, Leftover, Observation
from hotdesk.core.tags import POOL_TAG
from hotdesk.ports import Fleet, HotdeskError, NotFound

log = logging.getLogger(__name__)

_NEVER = float("-inf")
_NOT_RUNNING = frozenset(InstanceState) - {InstanceState.RUNNING}


class Subject(Protocol):
    """A pool that wants to be told about its group and instances."""

    @property
    def name(self) -> str:
        """The pool's name, which its instances' tags carry."""

    @property
    def group_name(self) -> str:
        """The name of its Auto Scaling group; raises NotFound once the pool is gone."""

    @property
    def is_moving(self) -> bool:
        """Whether AWS has work under way that the pool waits for."""

    @property
    def is_waited_for(self) -> bool:
        """Whether people wait for what the next look may show."""

    @property
    def size(self) -> int:
        """How many members its group has, as far as it knows."""

    @property
    def breadth(self) -> int:
        """How many instances a complete look shows, as far as it knows."""

    @property
    def serves_at_a_glance(self) -> bool:
        """Whether a quick look is enough to hand machines out."""

    def interests(self, group: Group | None) -> frozenset[str]:
        """Return the instances whose state it needs in a quick look."""

    def expects(self, group: Group | None) -> frozenset[str]:
        """Return every instance it knows or its group lists, for a complete look."""

    def observe(self, observation: Observation) -> None:
        """Take a look's result in."""

    def observe_failed(self, error: HotdeskError) -> None:
        """Take in that a look failed."""


class _Depth(Enum):
    """How much a look shows."""

    QUICK = auto()  # the group and the instances in motion
    CHECKED = auto()  # every instance that does not run, too
    COMPLETE = auto()


@dataclass(slots=True)
class _Schedule:
    """When a subject was last looked at, in monotonic seconds."""

    subject: Subject
    looked: float = _NEVER
    completed: float = _NEVER
    checked: float = _NEVER  # when a look last showed every instance that does not run, as complete ones do
    is_glanced: bool = False  # whether a quick look came before the first complete one
    hurried: bool = True
    full_at: datetime | None = None  # when a look last showed the group with all the machines it should have
    is_short: bool = False
    failures: tuple[LaunchFailure, ...] = ()
    policies: tuple[str, ...] = ()
    asked_policies: float = _NEVER
    asked_failures: float = _NEVER
    leftovers: tuple[Leftover, ...] = ()
    asked_leftovers: float = _NEVER

    def depth(self, *, at: float, pace: Pace) -> _Depth:
        """Return how much a look that begins now is to show."""
        subject, every = self.subject, pace.look.total_seconds()
        is_new = self.completed == _NEVER and not self.is_glanced
        if is_new and subject.breadth > pace.broad and subject.serves_at_a_glance:
            return _Depth.QUICK
        if at - self.completed >= every * max(1.0, subject.breadth / pace.broad):
            return _Depth.COMPLETE
        return _Depth.CHECKED if at - self.checked >= every else _Depth.QUICK

    def had(self, depth: _Depth, *, at: float) -> None:
        """Take in that a look which began at a moment succeeded."""
        if depth is _Depth.COMPLETE:
            self.completed = at
        if depth is not _Depth.QUICK:
            self.checked = at
        elif self.completed == _NEVER:
            self.is_glanced, self.looked = True, _NEVER  # the complete one follows at once


_LARGE = 500  # members; larger groups are looked at less often. 1,000 members cost 15 ms of CPU to parse
_POLICIES_EVERY = 60.0  # seconds
_LEFTOVERS_EVERY = 3600.0  # seconds
_FAILURES_EVERY = 3.0  # seconds
_FIRST_SHORTAGE = timedelta(minutes=5)  # how far back to ask if the group was never seen full


class Observer:
    """One task per Fleet. Complete looks read everything, quick ones the groups and the instances in motion.

    In between, looks ask for all instances that do not run: however many there are, a machine that was lost is seen
    soon. The first look at many is a quick one, so that whoever waits is served; a complete one follows at once.
    """

    def __init__(self, fleet: Fleet, world: World) -> None:
        self._fleet = fleet
        self._world = world
        self._schedules: dict[str, _Schedule] = {}
        self._wake = asyncio.Event()

    def watch(self, subject: Subject) -> None:
        """Begin to look at a subject, at once."""
        self._schedules.setdefault(subject.name, _Schedule(subject=subject))
        self._wake.set()

    def unwatch(self, subject: Subject) -> None:
        """Look at it no more."""
        self._schedules.pop(subject.name, None)

    def hurry(self, subject: Subject) -> None:
        """Look again soon: something was changed."""
        schedule = self._schedules.get(subject.name)
        if schedule is not None:
            schedule.hurried = True
            self._wake.set()

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            self._wake.clear()
            due = [schedule for schedule in self._schedules.values() if self._wait_of(schedule) <= 0]
            if due:
                try:
                    await self._look(due)
                    await self._ask_for_leftovers(due)
                except Exception:
                    # An answer that nobody expected must not end the looking; the next one may be better.
                    log.exception("a look at AWS failed")
                continue
            waits = [self._wait_of(schedule) for schedule in self._schedules.values()]
            try:
                async with asyncio.timeout(min(waits, default=None)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _wait_of(self, schedule: _Schedule) -> float:
        pace = self._world.pace
        every = pace.look_moving if schedule.hurried or schedule.subject.is_moving else pace.look
        if schedule.hurried and schedule.subject.is_waited_for:
            every = pace.look_gap
        every *= max(1.0, schedule.subject.size / _LARGE)  # an answer costs what the group has members
        return schedule.looked + every.total_seconds() - self._world.clock.monotonic()

    async def _look(self, due: list[_Schedule]) -> None:
        started_at, started = self._world.clock.now(), self._world.clock.monotonic()
        for schedule in due:
            schedule.hurried = False
            schedule.looked = started
        named = _group_names(schedule.subject for schedule in due)
        due = [schedule for schedule in due if schedule.subject.name in named]
        depths = {s.subject.name: s.depth(at=started, pace=self._world.pace) for s in due}
        try:
            groups = await self._fleet.describe_groups(frozenset(named.values()))
            due = [schedule for schedule in due if self._is_watched(schedule)]
            subjects = {schedule.subject.name: schedule.subject for schedule in due}
            asked = {
                name: _asked(subject, groups.get(named[name]), depth=depths[name]) for name, subject in subjects.items()
            }
            depths = {name: depths[name] for name in subjects}
            instances = await self._instances(depths, wanted=frozenset().union(*asked.values()))
        except HotdeskError as error:
            for schedule in due:
                schedule.subject.observe_failed(error)
            return
        for schedule in due:
            name = schedule.subject.name
            schedule.had(depths[name], at=started)
            if not self._is_watched(schedule):
                continue  # it is no longer watched, or anew: this look is from before
            group = groups.get(named[name])
            refusal = await self._ask_why_short(schedule, group, started_at)
            if not self._is_watched(schedule):
                continue
            schedule.subject.observe(
                Observation(
                    started_at=started_at,
                    began=started,
                    group=group,
                    instances=_belonging(instances, pool=name, asked=asked[name]),
                    asked=asked[name],
                    complete=depths[name] is _Depth.COMPLETE,
                    failures=schedule.failures,
                    scaling_policies=schedule.policies,
                    leftovers=schedule.leftovers,
                ),
            )
            if refusal is not None:  # the look is good all the same; only reasons are missing
                schedule.subject.observe_failed(refusal)

    def _is_watched(self, schedule: _Schedule) -> bool:
        return self._schedules.get(schedule.subject.name) is schedule

    async def _instances(self, pools: Mapping[str, _Depth], *, wanted: frozenset[str]) -> dict[str, Instance]:
        found: dict[str, Instance] = {}
        complete = {name for name, depth in pools.items() if depth is _Depth.COMPLETE}
        checked = {name for name, depth in pools.items() if depth is _Depth.CHECKED}
        if complete:
            found |= await self._fleet.describe_pool_instances(complete)
        if checked:
            found |= await self._fleet.describe_pool_instances(checked, states=_NOT_RUNNING)
        missing = wanted - found.keys()
        if missing:
            found |= await self._fleet.describe_instances(missing)
        return found

    async def _ask_for_leftovers(self, schedules: list[_Schedule]) -> None:
        """Ask now and then what disks nobody uses; nothing depends on the answer, so a refusal is nothing to tell."""
        now = self._world.clock.monotonic()
        for schedule in schedules:
            if now - schedule.asked_leftovers < _LEFTOVERS_EVERY:
                continue
            schedule.asked_leftovers = now
            try:
                schedule.leftovers = tuple(await self._fleet.describe_leftovers(pool=schedule.subject.name))
            except HotdeskError as error:
                log.info("disks were not looked at: %s", error, extra={"pool": schedule.subject.name})

    async def _ask_why_short(
        self,
        schedule: _Schedule,
        group: Group | None,
        started_at: datetime,
    ) -> HotdeskError | None:
        """Ask for reasons, and return what kept us from it, if anything did."""
        try:
            await self._ask(schedule, group, started_at)
        except HotdeskError as error:
            return error
        return None

    async def _ask(self, schedule: _Schedule, group: Group | None, started_at: datetime) -> None:
        """While a group has fewer machines than it should, ask it why; once in a while, ask who else scales it."""
        if group is None:
            schedule.is_short, schedule.failures, schedule.policies = False, (), ()
            return
        now = self._world.clock.monotonic()
        if now - schedule.asked_policies >= _POLICIES_EVERY:
            schedule.asked_policies = now
            schedule.policies = tuple(await self._fleet.describe_scaling_policies(group=group.name))
        is_short = sum(member.is_counted for member in group.members.values()) < group.desired
        began, schedule.is_short = is_short and not schedule.is_short, is_short
        if not is_short:
            schedule.full_at, schedule.failures = started_at, ()
        elif began:
            schedule.asked_failures = now  # a launch that has just begun has not failed yet
        elif now - schedule.asked_failures >= _FAILURES_EVERY:
            schedule.asked_failures = now
            since = schedule.full_at or started_at - _FIRST_SHORTAGE
            schedule.failures = tuple(await self._fleet.describe_launch_failures(group=group.name, since=since))


def _group_names(subjects: Iterable[Subject]) -> dict[str, str]:
    """Return each subject's group, asked once: without those whose pool is gone, of which the watch may tell later."""
    names: dict[str, str] = {}
    for subject in subjects:
        with suppress(NotFound):
            names[subject.name] = subject.group_name
    return names


def _asked(subject: Subject, group: Group | None, *, depth: _Depth) -> frozenset[str]:
    return subject.interests(group) | (subject.expects(group) if depth is _Depth.COMPLETE else frozenset())


def _belonging(
    instances: Mapping[str, Instance],
    *,
    pool: str,
    asked: frozenset[str],
) -> dict[str, Instance]:
    """Return what of a shared look is this pool's: what it asked for, and what carries its tag."""
    return {
        name: instance for name, instance in instances.items() if name in asked or instance.tags.get(POOL_TAG) == pool
    }
