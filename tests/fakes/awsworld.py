"""Groups and machines in memory, by AWS's rules; time passes only on a clock that a test moves.

Nothing happens between two looks: whoever looks or changes something first lets the world catch up with the clock,
event by event. So the same steps on the same clock always give the same world.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hotdesk.core.facts import FailureCause, Group, Instance, InstanceState, LaunchFailure, Member
from hotdesk.ports import NotFound, Refused

GROUP_TAG = "aws:autoscaling:groupName"
_NOW = timedelta()
_SHOWN_AFTER_END = timedelta(hours=1)  # how long EC2 lists a terminated instance


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = self._start = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def advance(self, by: timedelta) -> None:
        self._now += by


@dataclass(frozen=True)
class Delays:
    """How long AWS takes; zero means before the call returns."""

    reaction: timedelta = _NOW  # from a change of the group to the launches and terminations that follow from it
    launch: timedelta = _NOW  # pending to running, InService with it
    visibility: timedelta = _NOW  # launch to the first DescribeInstances that shows it
    detach: timedelta = _NOW
    terminate: timedelta = _NOW
    stop: timedelta = _NOW  # stopping to stopped
    start: timedelta = _NOW  # pending to running, of one that was stopped
    health_check: timedelta = _NOW  # from a member's end to its replacement
    retry: timedelta = timedelta(seconds=30)  # after a failed launch; never zero


@dataclass(frozen=True)
class Death:
    """What ended an instance: the port's method, "health check", "scale-in", "kill" or "delete group"."""

    cause: str
    at: datetime


@dataclass
class MachineState:
    id: str
    group: str
    zone: str
    number: int
    launched_at: datetime
    state: InstanceState = InstanceState.PENDING
    tags: dict[str, str] = field(default_factory=dict)
    spot: bool = False
    stop_protected: bool = False
    starts: int = 1  # each gives another public address

    def fact(self) -> Instance:
        dead = self.state is InstanceState.TERMINATED
        return Instance(
            id=self.id,
            state=self.state,
            zone=self.zone,
            instance_type="m5.large",
            private_ip=None if dead else f"10.{self.number >> 16}.{self.number >> 8 & 255}.{self.number & 255}",
            public_ip=self._public_ip(),
            spot=self.spot,
            launched_at=self.launched_at,
            tags=dict(self.tags),
        )

    def _public_ip(self) -> str | None:
        if self.state not in (InstanceState.PENDING, InstanceState.RUNNING):
            return None
        return f"198.{18 + self.starts % 2}.{self.number >> 8 & 255}.{self.number & 255}"


@dataclass
class MemberState:
    machine: MachineState
    lifecycle: str = "Pending"
    healthy: bool = True
    protected: bool = False

    @property
    def counted(self) -> bool:
        return self.lifecycle in ("Pending", "InService")

    def fact(self) -> Member:
        machine = self.machine
        return Member(machine.id, self.lifecycle, machine.zone, healthy=self.healthy, protected=self.protected)


@dataclass
class GroupState:
    name: str
    desired: int
    min_size: int
    max_size: int
    protects_new: bool
    tags: dict[str, str]
    zones: tuple[str, ...]
    suspended: set[str]
    health_check: str = "EC2"
    capacity_rebalance: bool = False
    max_instance_lifetime: int | None = None
    policies: tuple[str, ...] = ()
    members: dict[str, MemberState] = field(default_factory=dict)
    failures: list[LaunchFailure] = field(default_factory=list)
    reacts_at: datetime | None = None

    def fact(self) -> Group:
        return Group(
            name=self.name,
            desired=self.desired,
            min_size=self.min_size,
            max_size=self.max_size,
            members={member.machine.id: member.fact() for member in self.members.values()},
            protects_new=self.protects_new,
            suspended=frozenset(self.suspended),
            health_check=self.health_check,
            capacity_rebalance=self.capacity_rebalance,
            max_instance_lifetime=self.max_instance_lifetime,
            tags=dict(self.tags),
        )


class World:
    """The groups and machines, and what people and AWS do to them."""

    def __init__(self, *, clock: ManualClock, delays: Delays | None = None, launch_limit: int | None = None) -> None:
        self.clock = clock
        self.delays = delays or Delays()
        self.launch_limit = launch_limit  # live machines that AWS has room for; None for any number
        self.launch_failure: tuple[FailureCause, str] | None = None  # what every launch fails with, while set
        self.deaths: dict[str, Death] = {}
        self.peak_live: dict[str, int] = defaultdict(int)  # most live machines ever, by the group that launched them
        self.groups: dict[str, GroupState] = {}
        self.machines: dict[str, MachineState] = {}
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count(1)
        self._order = count()
        self._now = clock.now()

    def add_group(
        self,
        name: str,
        *,
        desired: int = 0,
        min_size: int = 0,
        max_size: int = 100,
        protects_new: bool = True,
        tags: Mapping[str, str] | None = None,
        zones: Sequence[str] = ("eu-west-1a", "eu-west-1b"),
        suspended: Iterable[str] = ("AZRebalance",),
    ) -> None:
        """Create a group; by default it is set up as Hotdesk wants it."""
        group = GroupState(
            name, desired, min_size, max_size, protects_new, dict(tags or {}), tuple(zones), set(suspended)
        )
        self.groups[name] = group
        self.catch_up()
        self.react(group)
        self.catch_up()

    def change_group(self, name: str, **changes: Any) -> None:
        """Change any attribute of a group, as a person would, without any check."""
        self.catch_up()
        group = self.groups[name]
        for attribute, value in changes.items():
            if not hasattr(group, attribute):
                raise AttributeError(f"a group has no {attribute}")
            setattr(group, attribute, value)
        self.react(group)
        self.catch_up()

    def delete_group(self, name: str) -> None:
        """Delete a group by force: its members are terminated."""
        self.catch_up()
        group = self.groups.pop(name)
        for member in group.members.values():
            self.end(member.machine, cause="delete group")
        self.catch_up()

    def kill(self, machine_id: str) -> None:
        """Terminate an instance in EC2, as a person or a spot reclaim does."""
        self.catch_up()
        self.end(self.machines[machine_id], cause="kill")
        self.catch_up()

    def begin_stop(self, machine: MachineState) -> None:
        """Let an instance stop, as StopInstances does."""
        if machine.state is InstanceState.RUNNING:
            machine.state = InstanceState.STOPPING
            self._check_health_later(machine)
            self.later(self.delays.stop, lambda: self._stopped(machine))

    def begin_start(self, machine: MachineState) -> None:
        """Let a stopped instance start, as StartInstances does."""
        if machine.state is InstanceState.STOPPED:
            machine.state = InstanceState.PENDING
            machine.starts += 1
            machine.launched_at = self._now
            self.later(self.delays.start, lambda: self._restarted(machine))

    def stop(self, machine_id: str) -> None:
        """Stop an instance in EC2, as a guest's poweroff does; a member is then replaced."""
        self.catch_up()
        machine = self.machines[machine_id]
        if machine.state.is_live:
            machine.state = InstanceState.STOPPED
            self._check_health_later(machine)
        self.catch_up()

    def unprotect(self, machine_id: str) -> None:
        """Take scale-in protection off a member."""
        self.catch_up()
        group, member = self.membership(machine_id)
        member.protected = False
        self.react(group)
        self.catch_up()

    def group(self, name: str) -> Group | None:
        """Look at a group without a call."""
        self.catch_up()
        return self.groups[name].fact() if name in self.groups else None

    def instance(self, machine_id: str) -> Instance | None:
        """Look at an instance without a call."""
        self.catch_up()
        return self.machines[machine_id].fact() if machine_id in self.machines else None

    def live(self, group: str | None = None) -> list[str]:
        """Ids of live machines, oldest first; of those that one group launched, whether or not they left it."""
        self.catch_up()
        return [m.id for m in self.machines.values() if m.state.is_live and group in (None, m.group)]

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        while self._agenda and self._agenda[0][0] <= self.clock.now():
            self._now, _, happen = heapq.heappop(self._agenda)
            happen()
        self._now = self.clock.now()

    def later(self, delay: timedelta, happen: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self._now + delay, next(self._order), happen))

    def known(self, name: str) -> GroupState:
        if name not in self.groups:
            raise NotFound(f"ValidationError: AutoScalingGroup name not found - AutoScalingGroup: {name}")
        return self.groups[name]

    def membership(self, machine_id: str) -> tuple[GroupState, MemberState]:
        for group in self.groups.values():
            if machine_id in group.members:
                return group, group.members[machine_id]
        raise Refused("ValidationError: Instance Id not found - No managed instance found for instance ID")

    def react(self, group: GroupState, *, after: timedelta | None = None) -> None:
        due = self._now + (self.delays.reaction if after is None else after)
        if group.reacts_at is None or due < group.reacts_at:
            group.reacts_at = due
            self.later(due - self._now, lambda: self._scale(group, due=due))

    def _scale(self, group: GroupState, *, due: datetime) -> None:
        if group.reacts_at != due or self.groups.get(group.name) is not group:
            return
        group.reacts_at = None
        counted = [member for member in group.members.values() if member.counted]
        if len(counted) < group.desired and "Launch" not in group.suspended:
            self._launch(group, group.desired - len(counted))
        if len(counted) > group.desired and "Terminate" not in group.suspended:
            # A Pending one is never protected: protection begins with InService.
            victims = sorted((m for m in counted if not m.protected), key=lambda m: m.lifecycle != "Pending")
            for victim in victims[: len(counted) - group.desired]:
                self.leave(group, victim, cause="scale-in")

    def _launch(self, group: GroupState, wanted: int) -> None:
        for _ in range(wanted):
            failure = self.launch_failure
            if failure is None and self.launch_limit is not None and len(self._alive()) >= self.launch_limit:
                text = "We currently do not have sufficient m5.large capacity in the Availability Zone you requested"
                failure = (FailureCause.CAPACITY, text)
            if failure is not None:
                group.failures.insert(0, LaunchFailure(self._now, *failure))
                self.react(group, after=self.delays.retry)
                return
            self._add_machine(group)

    def _add_machine(self, group: GroupState) -> None:
        number = next(self._numbers)
        zone = group.zones[number % len(group.zones)]
        machine = MachineState(f"i-{number:017x}", group.name, zone, number, self._now)
        machine.tags = {**group.tags, GROUP_TAG: group.name}
        self.machines[machine.id] = machine
        group.members[machine.id] = MemberState(machine)
        self.peak_live[group.name] = max(self.peak_live[group.name], len(self._alive(group.name)))
        self.later(self.delays.launch, lambda: self._started(group, machine))

    def _started(self, group: GroupState, machine: MachineState) -> None:
        if machine.state is InstanceState.PENDING:
            machine.state = InstanceState.RUNNING
            member = group.members.get(machine.id)
            if member is not None and member.lifecycle == "Pending":
                member.lifecycle = "InService"
                member.protected = group.protects_new

    def _stopped(self, machine: MachineState) -> None:
        if machine.state is InstanceState.STOPPING:
            machine.state = InstanceState.STOPPED

    def _restarted(self, machine: MachineState) -> None:
        if machine.state is InstanceState.PENDING:
            machine.state = InstanceState.RUNNING

    def leave(self, group: GroupState, member: MemberState, *, cause: str) -> None:
        if member.lifecycle == "Terminating":
            return
        member.lifecycle = "Terminating"
        self.end(member.machine, cause=cause)
        self.react(group)

    def end(self, machine: MachineState, *, cause: str) -> None:
        if machine.state.is_live:
            self.deaths[machine.id] = Death(cause, self._now)
            machine.state = InstanceState.SHUTTING_DOWN
            self.later(self.delays.terminate, lambda: self._ended(machine))
            self._check_health_later(machine)
        elif machine.state is InstanceState.TERMINATED:
            self.later(_NOW, lambda: self._ended(machine))

    def _ended(self, machine: MachineState) -> None:
        machine.state = InstanceState.TERMINATED
        self.later(_SHOWN_AFTER_END, lambda: self._forget(machine))
        group = self.groups.get(machine.group)
        member = group.members.get(machine.id) if group else None
        if group and member and member.lifecycle == "Terminating":
            del group.members[machine.id]

    def _forget(self, machine: MachineState) -> None:
        self.machines.pop(machine.id, None)

    def _check_health_later(self, machine: MachineState) -> None:
        self.later(self.delays.health_check, lambda: self._check_health(machine))

    def _check_health(self, machine: MachineState) -> None:
        group = self.groups.get(machine.group)
        member = group.members.get(machine.id) if group else None
        if not group or not member or not member.counted or machine.state is InstanceState.RUNNING:
            return
        if group.suspended.isdisjoint({"HealthCheck", "ReplaceUnhealthy", "Terminate"}):
            member.healthy = False
            self.leave(group, member, cause="health check")

    def detached(self, group: GroupState, member: MemberState) -> None:
        group.members.pop(member.machine.id, None)
        member.machine.tags.pop(GROUP_TAG, None)

    def _alive(self, group: str | None = None) -> list[MachineState]:
        return [m for m in self.machines.values() if m.state.is_live and group in (None, m.group)]
