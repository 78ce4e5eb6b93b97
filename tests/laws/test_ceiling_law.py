"""The judge of the ceiling: two late capacity calls in force at once are excused, and nothing less is."""

from collections.abc import Iterator
from typing import Any

import pytest

from simworld.network import Fate, Order, Weather
from simworld.process import Process
from simworld.witness import Witness
from simworld.world import SimWorld

_IN_TIME = Order(fate=Fate.WELL)


def _late(seconds: float) -> Order:
    return Order(fate=Fate.LATE, after=seconds)


class Full:
    """A pool at its ceiling: four machines that left their group, and two operators' ways to AWS."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world
        self.witness = Witness(world)
        world.aws.add_group("desk", desired=4)
        aws = {"region": "eu-west-1", "autoScalingGroupName": "desk"}
        world.server.create("machinepools", {"metadata": {"name": "desk"}, "spec": {"aws": aws, "maxMachines": 4}})
        world.pass_time(60)
        ids = [machine.id for machine in world.aws.live("desk")]
        out = {"AutoScalingGroupName": "desk", "InstanceIds": ids, "ShouldDecrementDesiredCapacity": True}
        world.aws.perform("autoscaling", "DetachInstances", out)
        world.pass_time(60)
        self._processes = {name: Process(name, world.timeline) for name in ("op1", "op2")}
        self._order = _IN_TIME
        world.line.network.intercept = lambda _process, _call: self._order

    def desire(self, who: str, desired: int, order: Order = _IN_TIME) -> None:
        self._call(who, order, lambda fleet: fleet.set_desired_capacity(group="desk", desired=desired))

    def fence(self, who: str, max_size: int, order: Order = _IN_TIME) -> None:
        self._call(who, order, lambda fleet: fleet.set_max_size(group="desk", max_size=max_size))

    def _call(self, who: str, order: Order, ask: Any) -> None:
        process = self._processes[who]
        fleet = self.world.line.fleet(process, gate=lambda: None)
        self._order = order

        async def send() -> None:
            try:
                await ask(fleet)
            except Exception as error:  # noqa: BLE001  # late ones are given up, which is the point
                self.world.trace.add(who, repr(error))

        process.begin(send(), name="call")
        self.world.pass_time(0.3)  # it has arrived, unless it comes late

    def is_broken(self) -> bool:
        """Tell whether a machine too many was judged a breach; there must be one too many."""
        self.world.pass_time(120)
        assert len(self.world.aws.live("desk")) == 5, self.world.trace.told()
        return bool(self.witness.broken)


@pytest.fixture
def full() -> Iterator[Full]:
    with SimWorld() as world:
        full = Full(world)
        yield full
        for process in full._processes.values():
            process.bury()


def test_two_calls_that_arrive_after_another_operator_lowered_both_are_excused(full: Full):
    full.fence("op2", 1, _late(60))
    full.desire("op2", 1, _late(70))
    full.desire("op1", 0)
    full.fence("op1", 0)
    assert not full.is_broken()


def test_a_repetition_is_a_late_call_too(full: Full):
    network = full.world.line.network
    network.weather = Weather(late_up_to=60)
    full.fence("op2", 1, Order(fate=Fate.TWICE))
    assert network.late_calls == 1
    full.fence("op1", 0)
    full.world.pass_time(60)
    assert network.late_calls == 0
    full.desire("op2", 1, _late(20))
    assert not full.is_broken()


def test_one_late_call_excuses_nothing(full: Full):
    full.fence("op2", 1, _late(20))
    full.desire("op1", 0)
    full.fence("op1", 0)
    full.world.pass_time(30)
    full.desire("op2", 1)
    assert full.is_broken()


def test_two_late_calls_excuse_nothing_once_both_were_lowered_again(full: Full):
    full.fence("op2", 1, _late(20))
    full.desire("op2", 0, _late(20))
    full.fence("op1", 0)
    full.world.pass_time(30)
    full.fence("op1", 0)
    full.fence("op2", 1)
    full.desire("op2", 1)
    assert full.is_broken()


def test_a_call_that_another_one_overtook_came_late_however_quick_it_was(full: Full):
    full.fence("op2", 1, _late(0.9))
    full.fence("op1", 0)
    full.world.pass_time(0.6)
    full.desire("op2", 1, _late(0.9))
    full.desire("op1", 0)
    assert not full.is_broken()


def test_a_detach_on_its_way_is_judged_by_the_limit_under_which_it_was_sent(full: Full):
    world = full.world
    world.server.patch("machinepools", "desk", {"spec": {"maxMachines": 5}})
    world.aws.perform("autoscaling", "SetDesiredCapacity", {"AutoScalingGroupName": "desk", "DesiredCapacity": 1})
    world.pass_time(60)
    name = world.aws.live("desk")[-1].id
    world.aws.end(world.aws.live("desk")[0].id, cause="person")
    world.aws.perform("autoscaling", "UpdateAutoScalingGroup", {"AutoScalingGroupName": "desk", "MaxSize": 1})
    claim = {
        "slot": 0,
        "workspace": {"namespace": "team", "name": "w1", "uid": "1"},
        "claimedAt": "2026-03-02T12:00:00Z",
    }
    record = {"pool": "desk", "providerID": f"aws:///eu-west-1a/{name}", "slots": 1, "claims": [claim]}
    world.server.create("machines", {"metadata": {"name": name}, "spec": record})
    world.server.patch("machinepools", "desk", {"spec": {"maxMachines": 4}})
    out = {"AutoScalingGroupName": "desk", "InstanceIds": [name], "ShouldDecrementDesiredCapacity": False}
    world.aws.perform("autoscaling", "DetachInstances", out)
    assert not full.is_broken()
