"""An in-memory Fleet: AWS's answers and refusals on a small world, with faults and late answers on demand."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, TypeVar

from fakes.awsworld import GroupState, MachineState, MemberState, World
from fakes.interruptions import FakeInterruptions
from hotdesk.core.facts import Group, Instance, InstanceState, LaunchFailure, Leftover
from hotdesk.ports import Fleet, HotdeskError, Interruptions, Refused, Unanswered, Vault

T = TypeVar("T")
POOL_TAG = "hotdesk.dev/pool"
_DETACHABLE = ("InService", "Standby")
_PROTECTABLE = ("InService", "EnteringStandby", "Standby")
_MOST_DETACHED = 20
_MOST_PROTECTED = 50


@dataclass(frozen=True)
class Call:
    """One call as it arrived, whatever came of it."""

    action: str
    arguments: Mapping[str, Any]
    at: datetime


class Hold(Enum):
    """Where a call is stuck until it is released."""

    CALL = auto()  # before AWS: the effect and the answer come late
    ANSWER = auto()  # after AWS: the effect (or the state that is read) is of now, the answer comes late
    ORPHAN = auto()  # the caller gets Unanswered at once, and the effect still comes when released


class Held:
    """A call told to be late. A caller that stops waiting does not unsend it: release still has its effect."""

    def __init__(self, where: Hold) -> None:
        self.where = where
        self.arrived = asyncio.Event()
        self.refused: HotdeskError | None = None  # what AWS would have answered to an orphan
        self._released = asyncio.Event()
        self._effect: Callable[[], object] | None = None

    def release(self) -> None:
        """Let it go on."""
        self._released.set()
        effect, self._effect = self._effect, None
        if effect is not None:
            try:
                effect()
            except HotdeskError as error:
                self.refused = error

    async def pass_through(self, effect: Callable[[], T]) -> T:
        self.arrived.set()
        if self.where is Hold.ANSWER:
            answer = effect()
            await self._released.wait()
            return answer
        if self.where is Hold.ORPHAN:
            self._effect = effect
            if self._released.is_set():
                self.release()
            raise Unanswered("the answer was lost")
        try:
            await self._released.wait()
        except asyncio.CancelledError:
            self._effect = effect
            raise
        return effect()


@dataclass(frozen=True)
class _Failure:
    error: HotdeskError
    effect: bool


class FakeFleet(World):
    """The Fleet port. `calls` records every call; faults are set by the port's method name."""

    def __init__(self, **world: Any) -> None:
        """Take what World takes: clock, delays, launch_limit."""
        super().__init__(**world)
        self.calls: list[Call] = []
        self.starts_refused: HotdeskError | None = None  # what StartInstances answers for a stopped machine
        self.leftovers: list[Leftover] = []
        self._broken: dict[str, HotdeskError] = {}
        self._faults: dict[str, deque[_Failure | Held]] = defaultdict(deque)

    def fail_next(self, action: str, error: HotdeskError, *, effect: bool = False) -> None:
        """Let the next call of this action raise `error`, after having its effect or without it."""
        self._faults[_checked(action)].append(_Failure(error, effect))

    def fail_always(self, action: str, error: HotdeskError) -> None:
        """Let every call of this action raise `error` without effect, until it is healed."""
        self._broken[_checked(action)] = error

    def heal(self, action: str) -> None:
        """End what fail_always began."""
        self._broken.pop(_checked(action), None)

    def hold_next(self, action: str, where: Hold) -> Held:
        """Let the next call of this action be late; faults of one action come in the order they were set."""
        held = Held(where)
        self._faults[_checked(action)].append(held)
        return held

    def count(self, action: str) -> int:
        """How many calls of this action arrived."""
        return sum(call.action == _checked(action) for call in self.calls)

    async def describe_groups(self, names: Collection[str]) -> Mapping[str, Group]:
        wanted = list(names)
        return await self._call(
            "describe_groups",
            lambda: {name: self.groups[name].fact() for name in wanted if name in self.groups},
            names=wanted,
        )

    async def describe_instances(self, ids: Collection[str]) -> Mapping[str, Instance]:
        wanted = list(ids)
        return await self._call(
            "describe_instances", lambda: {i: m for i, m in self._visible().items() if i in wanted}, ids=wanted
        )

    async def describe_pool_instances(
        self, pools: Collection[str], *, states: Collection[InstanceState] | None = None
    ) -> Mapping[str, Instance]:
        wanted = list(pools)

        def is_wanted(found: Instance) -> bool:
            return found.tags.get(POOL_TAG) in wanted and (states is None or found.state in states)

        return await self._call(
            "describe_pool_instances",
            lambda: {name: found for name, found in self._visible().items() if is_wanted(found)},
            pools=wanted,
        )

    async def describe_launch_failures(self, *, group: str, since: datetime) -> Sequence[LaunchFailure]:
        def read() -> list[LaunchFailure]:
            return [f for f in self.groups[group].failures if f.at >= since] if group in self.groups else []

        return await self._call("describe_launch_failures", read, group=group, since=since)

    async def describe_scaling_policies(self, *, group: str) -> Sequence[str]:
        def read() -> list[str]:
            return list(self.groups[group].policies) if group in self.groups else []

        return await self._call("describe_scaling_policies", read, group=group)

    async def describe_leftovers(self, *, pool: str) -> Sequence[Leftover]:
        return await self._call("describe_leftovers", lambda: list(self.leftovers), pool=pool)

    async def set_desired_capacity(self, *, group: str, desired: int) -> None:
        def apply() -> None:
            state = self.known(group)
            for bound, wrong in (("above max", desired > state.max_size), ("below min", desired < state.min_size)):
                if wrong:
                    limit = state.max_size if bound == "above max" else state.min_size
                    raise Refused(
                        f"ValidationError: New SetDesiredCapacity value {desired} is {bound} value {limit} "
                        "for the AutoScalingGroup."
                    )
            state.desired = desired
            self.react(state)

        await self._call("set_desired_capacity", apply, group=group, desired=desired)

    async def set_max_size(self, *, group: str, max_size: int) -> None:
        def apply() -> None:
            state = self.known(group)
            if max_size < state.min_size:
                raise Refused(
                    f"ValidationError: Max bound, {max_size}, must be greater than or equal to min bound, "
                    f"{state.min_size}"
                )
            state.max_size = max_size
            state.desired = min(state.desired, max_size)
            self.react(state)

        await self._call("set_max_size", apply, group=group, max_size=max_size)

    async def configure_group(self, *, group: str) -> None:
        def apply() -> None:
            state = self.known(group)
            state.protects_new = True
            state.health_check = "EC2"
            state.min_size = 0
            state.capacity_rebalance = False
            state.max_instance_lifetime = None

        await self._call("configure_group", apply, group=group)

    async def suspend_processes(self, *, group: str, processes: Collection[str]) -> None:
        await self._call(
            "suspend_processes",
            lambda: self.known(group).suspended.update(processes),
            group=group,
            processes=sorted(processes),
        )

    async def tag_group(self, *, group: str, tags: Mapping[str, str]) -> None:
        await self._call("tag_group", lambda: self.known(group).tags.update(tags), group=group, tags=dict(tags))

    async def protect(self, *, group: str, ids: Collection[str]) -> None:
        def apply() -> None:
            members = self._members(group, wanted, _PROTECTABLE, most=_MOST_PROTECTED)
            for member in members:
                member.protected = True

        wanted = list(ids)
        await self._call("protect", apply, group=group, ids=wanted)

    async def tag_instances(self, *, ids: Collection[str], tags: Mapping[str, str]) -> None:
        def apply() -> None:
            for unknown in set(wanted) - set(self._visible()):
                raise Refused(f"InvalidInstanceID.NotFound: The instance ID '{unknown}' does not exist")
            for machine_id in wanted:
                self.machines[machine_id].tags.update(tags)

        wanted = list(ids)
        await self._call("tag_instances", apply, ids=wanted, tags=dict(tags))

    async def detach(self, *, group: str, ids: Collection[str]) -> None:
        def apply() -> None:
            state = self.known(group)
            for member in self._members(group, wanted, _DETACHABLE, most=_MOST_DETACHED):
                member.lifecycle = "Detaching"
                self._detach_later(state, member)
            self.react(state)

        wanted = list(ids)
        await self._call("detach", apply, group=group, ids=wanted)

    async def terminate_member(self, *, id: str) -> None:  # noqa: A002
        def apply() -> None:
            for group in self.groups.values():
                if id in group.members:
                    member = group.members[id]
                    if member.lifecycle == "Detaching":
                        raise Refused(f"ValidationError: The instance {id} is detaching.")
                    self.leave(group, member, cause="terminate_member")
                    return

        await self._call("terminate_member", apply, id=id)

    async def terminate_instance(self, *, id: str) -> None:  # noqa: A002
        def apply() -> None:
            if id in self.machines:
                self.end(self.machines[id], cause="terminate_instance")

        await self._call("terminate_instance", apply, id=id)

    async def delete_leftover(self, *, id: str) -> None:  # noqa: A002
        def apply() -> None:
            self.leftovers = [one for one in self.leftovers if one.id != id]

        await self._call("delete_leftover", apply, id=id)

    async def stop_instance(self, *, id: str) -> None:  # noqa: A002
        def apply() -> None:
            machine = self._existing(id)
            if machine.spot:
                raise Refused(f"UnsupportedOperation: You can't stop the Spot Instance '{id}'")
            if machine.stop_protected:
                raise Refused(f"OperationNotPermitted: The instance '{id}' may not be stopped.")
            if machine.state not in (InstanceState.RUNNING, InstanceState.STOPPING, InstanceState.STOPPED):
                raise Refused(f"IncorrectInstanceState: The instance '{id}' is not in a state from which it can stop.")
            self.begin_stop(machine)

        await self._call("stop_instance", apply, id=id)

    async def start_instance(self, *, id: str) -> None:  # noqa: A002
        def apply() -> None:
            machine = self._existing(id)
            if machine.state not in (InstanceState.RUNNING, InstanceState.PENDING, InstanceState.STOPPED):
                raise Refused(f"IncorrectInstanceState: The instance '{id}' is not in a state from which it can start.")
            if machine.state is InstanceState.STOPPED and self.starts_refused is not None:
                raise self.starts_refused
            self.begin_start(machine)

        await self._call("start_instance", apply, id=id)

    async def protect_from_stop(self, *, id: str, protect: bool) -> None:  # noqa: A002
        def apply() -> None:
            self._existing(id).stop_protected = protect

        await self._call("protect_from_stop", apply, id=id, protect=protect)

    def _existing(self, machine_id: str) -> MachineState:
        if machine_id not in self._visible():
            raise Refused(f"InvalidInstanceID.NotFound: The instance ID '{machine_id}' does not exist")
        return self.machines[machine_id]

    async def _call(self, action: str, effect: Callable[[], T], **arguments: Any) -> T:
        def happen() -> T:
            self.catch_up()
            answer = effect()
            self.catch_up()
            return answer

        self.calls.append(Call(action, arguments, self.clock.now()))
        fault = self._faults[action].popleft() if self._faults[action] else None
        await asyncio.sleep(0)  # a real call never answers within one step of the event loop
        if action in self._broken:
            raise self._broken[action]
        if isinstance(fault, Held):
            return await fault.pass_through(happen)
        if fault is not None:
            if fault.effect:
                happen()
            raise fault.error
        return happen()

    def _visible(self) -> dict[str, Instance]:
        hidden_since = self.clock.now() - self.delays.visibility
        return {m.id: m.fact() for m in self.machines.values() if m.launched_at <= hidden_since}

    def _members(self, group: str, ids: list[str], states: tuple[str, ...], *, most: int) -> list[MemberState]:
        members = self.known(group).members
        if len(ids) > most:
            raise Refused(f"ValidationError: at most {most} instances in one call")
        for machine_id in ids:
            if machine_id not in members:
                raise Refused(f"ValidationError: The instance {machine_id} is not part of Auto Scaling group {group}.")
            if members[machine_id].lifecycle not in states:
                raise Refused(f"ValidationError: The instance {machine_id} is not in {' or '.join(states)}.")
        return [members[machine_id] for machine_id in ids]

    def _detach_later(self, group: GroupState, member: MemberState) -> None:
        self.later(self.delays.detach, lambda: self.detached(group, member))


class FakeFleets:
    """The Fleets port: one FakeFleet, one Vault and one set of queues for every region, endpoint and role."""

    def __init__(
        self, fleet: FakeFleet, vault: Vault | None = None, interruptions: FakeInterruptions | None = None
    ) -> None:
        self._fleet = fleet
        self._vault = vault
        self._interruptions = interruptions or FakeInterruptions(fleet.clock)

    def fleet(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> Fleet:
        del region, endpoint_url, role_arn
        return self._fleet

    def interruptions(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> Interruptions:
        del region, endpoint_url, role_arn
        return self._interruptions

    def vault(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> Vault:
        del region, endpoint_url, role_arn
        assert self._vault is not None, "this world has no vault"
        return self._vault


def _checked(action: str) -> str:
    if not hasattr(Fleet, action):
        raise ValueError(f"the Fleet port has no {action}")
    return action
