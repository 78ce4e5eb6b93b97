"""One pool's actor: every decision about the pool is made in its passes, one at a time."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from hotdesk.actors.effects import Effects
from hotdesk.actors.troubles import Troubles
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import CapacityCall, Machine, MachinePool, Workspace
from hotdesk.core import planner, seating
from hotdesk.core.actions import ReportPool
from hotdesk.core.announcements import Announcement
from hotdesk.core.eligibility import Surroundings
from hotdesk.core.evidence import Evidence, Question
from hotdesk.core.facts import Group, Instance, Observation
from hotdesk.core.group.buffer import schedule_fault
from hotdesk.core.group.capacity import Rise
from hotdesk.core.group.securing import claimed_at
from hotdesk.core.lifecycle.asking import changed_questions, plan_questions
from hotdesk.core.planner import Memory
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.standing import Standing, is_running
from hotdesk.core.terms import wants_machine
from hotdesk.ports import HotdeskError, NotFound

log = logging.getLogger(__name__)

_IN_MOTION = (Standing.REAPING, Standing.LEAVING, Standing.UNSEEN)
_UPKEEP_SHARE = 0.1  # of the loop's time at most, however large the pool is
_AT_REST = timedelta(seconds=5)  # between passes without news: schedules and ageing move by themselves


class Watcher(Protocol):
    """Who looks at AWS for the actor."""

    def watch(self, subject: "PoolActor") -> None:
        """Begin to look, at once."""

    def unwatch(self, subject: "PoolActor") -> None:
        """Look no more."""

    def hurry(self, subject: "PoolActor") -> None:
        """Look again soon."""


class PoolActor:
    """Takes news in through its methods at any time; `run` plans and starts what is to be done.

    Between `begin` and `rest` it acts; before and after, another replica does, and it only keeps up with the news.
    """

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.facts = PoolFacts(name=name)
        self.watcher: Watcher | None = None
        self._world = world
        self._news = asyncio.Event()
        self._schedule_fault: str | None = None
        self._is_acting = False
        self._forget()

    def _forget(self) -> None:
        """Remember nothing of what was done, as after a restart."""
        world = self._world
        self.is_moving = False
        self._effects = Effects(self.facts, world, changed=self._news.set, aws_changed=self._hurry)
        self._memory = Memory(rise=Rise(machines=0, at=world.clock.now()))
        self._next_upkeep = 0.0  # monotonic seconds
        self._next_report = 0.0  # monotonic seconds
        self._next_measure = 0.0  # monotonic seconds
        self._missed: set[str] = set()  # UIDs whose miss was counted
        self._queue = Troubles()
        self._announced: dict[str, float] = {}  # instances that AWS said something of, and when we heard it, monotonic

    # -- news -------------------------------------------------------------------------------------------------------

    def set_pool(self, pool: MachinePool | None) -> None:
        """Take in the pool as it is now; None when it does not exist."""
        before = self.facts.pool
        self.facts.set_pool(pool)
        if pool is not None and (before is None or before.spec.buffer != pool.spec.buffer):
            self._schedule_fault = schedule_fault(pool.spec.buffer.schedules, now=self._world.clock.now())
            self.set_surroundings(self.facts.surroundings)
        self._news.set()

    def set_surroundings(self, surroundings: Surroundings) -> None:
        """Take in what lies outside the pool."""
        self.facts.set_surroundings(replace(surroundings, schedule_fault=self._schedule_fault))
        if self.facts.observation is None:
            self._hurry()
        self._news.set()

    def upsert_workspace(self, workspace: Workspace) -> None:
        """Take in a workspace."""
        if self._is_acting and workspace.status.machine is None and wants_machine(workspace):
            self._effects.claiming.saw(workspace.metadata.uid)
        self.facts.upsert_workspace(workspace)
        self._news.set()

    def remove_workspace(self, uid: str) -> None:
        """Take in that a workspace is gone."""
        self._effects.claiming.forget(uid)
        self._missed.discard(uid)
        self.facts.remove_workspace(uid)
        self._news.set()

    def upsert_machine(self, machine: Machine) -> None:
        """Take in a machine."""
        self.facts.upsert_machine(machine)
        self._news.set()

    def remove_machine(self, name: str) -> None:
        """Take in that a machine's record is gone."""
        self.facts.remove_machine(name)
        self._news.set()

    def observe(self, observation: Observation) -> None:
        """Take in a look at AWS."""
        self._memory = replace(
            self._memory,
            failures=observation.failures,
            scaling_policies=observation.scaling_policies,
        )
        self._effects.troubles.clear("look")
        self._announced = {name: at for name, at in self._announced.items() if at > observation.began}
        self.facts.observe(observation)
        self._news.set()

    def observe_failed(self, error: HotdeskError) -> None:
        """Take in that AWS could not be looked at: nothing is known anew, and people are told."""
        self._effects.troubles.note("look", error)
        self._news.set()

    def announce(self, announcement: Announcement) -> None:
        """Take in that AWS announced something about one of its machines; only a look tells what is true."""
        instance = self.facts.instances.get(announcement.instance)
        is_known = instance is not None and announcement.state == instance.state
        if self._is_acting and not is_known:
            self._announced[announcement.instance] = self._world.clock.monotonic()
            self._hurry()

    def queue_answered(self, error: HotdeskError | None) -> None:
        """Take in that the pool's queue was read, or why it could not be."""
        if error is None:
            self._queue.clear("queue")
        else:
            self._queue.note("queue", error)

    def machine(self, name: str) -> tuple[Machine | None, Instance | None]:
        """Return a machine's record, and what EC2 last showed of it."""
        return self.facts.machines.get(name), self.facts.instances.get(name)

    def questions(self, now: datetime) -> Sequence[Question]:
        """Return which machines may be asked who is at work there."""
        return tuple(plan_questions(self.facts, now=now))

    def changed_questions(self, now: datetime) -> Mapping[str, Question | None]:
        """Return of which machines that may have changed, since it was last asked."""
        return changed_questions(self.facts, now=now)

    def take_evidence(self, evidence: Sequence[Evidence]) -> None:
        """Take in what machines answered when they were asked who is at work."""
        for answer in evidence:
            self.facts.life.evidence[answer.machine] = answer
            self.facts.questions.doubt(answer.machine)
            for uid in self.facts.seats.get(answer.machine, ()):
                self.facts.life.stir(uid)
        self._news.set()

    @property
    def group_name(self) -> str:
        """The name of the pool's group; the actor is watched only while it has a pool."""
        if self.facts.pool is None:
            raise NotFound(f"MachinePool {self.name} does not exist.")
        return self.facts.pool.spec.aws.auto_scaling_group_name

    @property
    def is_waited_for(self) -> bool:
        """Whether people wait for a machine."""
        return bool(self.facts.waiting)

    @property
    def size(self) -> int:
        """How many members its group has, as far as it knows."""
        return len(self.facts.members)

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        return self._effects.is_busy

    @property
    def under_way(self) -> tuple[str, ...]:
        """What is under way, for people."""
        return self._effects.under_way

    @property
    def breadth(self) -> int:
        """How many instances a complete look shows, as far as it knows."""
        return max(len(self.facts.instances), len(self.facts.machines))

    @property
    def serves_at_a_glance(self) -> bool:
        """Whether a quick look is enough to hand machines out: a daily quota has to know of all that run."""
        return self.facts.quota.minutes.limit is None

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be lost with the actor."""
        facts = self.facts
        return facts.pool is None and not facts.workspaces and not facts.machines and not self.is_busy

    def interests(self, group: Group | None) -> frozenset[str]:
        """Return the instances whose state it waits for: new ones, about to serve, rest or end, or in the news.

        A member that the group still shows as Pending is not asked about; nor is a claimed one, which leaves the
        group's list when it is detached.
        """
        facts = self.facts
        names: set[str] = (self._announced.keys() | facts.life.moving) & facts.machines.keys()
        for standing in _IN_MOTION:
            names |= facts.by_standing[standing]
        members = group.members if group is not None else {}
        names |= facts.members.keys() - members.keys()
        for name, member in members.items():
            instance = facts.instances.get(name)
            if instance is None or (member.lifecycle == "InService" and not is_running(instance)):
                names.add(name)
        return frozenset(names)

    def expects(self, group: Group | None) -> frozenset[str]:
        """Return every instance it has a record of or its group lists."""
        members = group.members.keys() if group is not None else frozenset[str]()
        return frozenset(members | self.facts.machines.keys())

    # -- the loop ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Be about to act: the clock of everybody who waits starts now."""
        self._is_acting = True
        for uid, workspace in self.facts.workspaces.items():
            if workspace.status.machine is None and wants_machine(workspace):
                self._effects.claiming.saw(uid)

    async def rest(self) -> None:
        """Wait for the writes under way to end, then forget everything but the objects; `run` must have ended."""
        self._is_acting = False
        await self._effects.drain()
        await self._effects.changes.settle()
        self.facts.forget_aws()
        self._forget()

    def nudge(self) -> None:
        """Make a pass soon."""
        self._news.set()

    async def run(self) -> None:
        """Make passes, for ever: at once on news, and when something is due."""
        while True:
            self._news.clear()
            try:
                wait = self._pass()
            except Exception:
                # A fault in one pass must not stop the pool: what is known stays, and the next pass tries again.
                log.exception("a pass failed", extra={"pool": self.name})
                wait = 1.0
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _pass(self) -> float:
        """Plan and start everything that is due; return the seconds until something else is."""
        if not self._world.gate.is_open:
            return _AT_REST.total_seconds()
        now = self._world.clock.now()
        self.facts.life.uptime = timedelta(seconds=self._world.clock.monotonic())
        self.facts.turn(now)
        if self._effects.may_claim():
            for claim in seating.plan_claims(self.facts, now=now):
                self._effects.start(claim)
        for action in tuple(seating.plan_seats(self.facts, now=now)):
            self._effects.start(action)
        wait = self._next_upkeep - self._world.clock.monotonic()
        return wait if wait > 0 else self._keep_up()

    def _keep_up(self) -> float:
        """Do everything but claims, and return how long nothing needs to be planned if no news comes."""
        pace, monotonic = self._world.pace, self._world.clock.monotonic()
        late_call = self._late_call()
        memory = replace(
            self._memory,
            boots=self._effects.machines.boots,
            ready=frozenset(self._effects.ready),
            troubles=self._effects.troubles.told(),
            queue_troubles=self._queue.told(),
            stats=self._effects.claims.summary(),
            capacity_call=late_call,
        )
        upkeep = planner.plan_upkeep(self.facts, memory, now=self._world.clock.now())
        self._memory = upkeep.memory
        if upkeep.is_moving and not self.is_moving:
            self._hurry()
        self.is_moving = upkeep.is_moving
        report_in = float("inf")
        for action in upkeep.actions:
            if isinstance(action, ReportPool):
                if monotonic < self._next_report:
                    report_in = self._next_report - monotonic
                    continue
                self._next_report = monotonic + pace.report.total_seconds()
            self._effects.start(action)
        if monotonic >= self._next_measure:
            self._next_measure = monotonic + pace.report.total_seconds()
            self._measure(upkeep)
        ended = self._world.clock.monotonic()
        self._next_upkeep = ended + max(pace.upkeep_gap.total_seconds(), (ended - monotonic) / _UPKEEP_SHARE)
        is_busy = bool(upkeep.is_moving or self.facts.waiting or self.facts.unreported or self.facts.life.astir)
        return min(report_in, (pace.probe if is_busy else _AT_REST).total_seconds())

    def _late_call(self) -> CapacityCall | None:
        """Return the raising call that may still take effect: sent lately, and not known to be answered."""
        call = self.facts.pool.status.capacity_call if self.facts.pool is not None else None
        if call is None or call in self._effects.changes.answered:
            return None
        is_recent = self._world.clock.now() - call.sent_at < self._world.pace.late_call
        return call if is_recent else None

    def _measure(self, upkeep: planner.Upkeep) -> None:
        facts, metrics = self.facts, self._world.metrics
        if facts.pool is None:
            return
        totals = facts.totals
        counts = {
            "idle": totals.idle + totals.spare,
            "target": upkeep.sizing.target,
            "booting": totals.booting,
            "claimed": totals.claimed,
            "waiting": len(facts.waiting),
            "quarantined": totals.quarantined,
            "machines": totals.live,
            "leaked": upkeep.leaked,
        }
        metrics.pool_counts(pool=self.name, counts=counts)
        now = self._world.clock.now()
        ages = ((now - claimed_at(facts.machines[name])).total_seconds() for name in facts.unsecured)
        metrics.unsecured_age(pool=self.name, seconds=max(ages, default=0.0))
        for uid in facts.waiting.keys() - self._missed:
            self._missed.add(uid)
            metrics.claim_missed(pool=self.name, cause=upkeep.miss_cause)

    def _hurry(self) -> None:
        if self.watcher is not None:
            self.watcher.hurry(self)
