"""Calls that raise and lower a group, recorded before they are sent; the fence at the ceiling."""

from datetime import timedelta

import pytest

from component.desk import Desk, at_a_desk
from fakes.apiserver.faults import Trouble
from fakes.fleet import Hold
from hotdesk.ports import Unanswered

MINUTE = timedelta(minutes=1)


def want(desk: Desk, idle: int) -> None:
    desk.server.patch("machinepools", "pool", {"spec": {"buffer": {"idle": idle}}})


def raised(desk: Desk, to: int) -> int:
    """Count the calls that asked for this desired capacity."""
    calls = (call for call in desk.fleet.calls if call.action == "set_desired_capacity")
    return sum(call.arguments["desired"] == to for call in calls)


@at_a_desk()
async def test_a_raising_call_is_recorded_before_it_is_sent_and_cleared_when_answered(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    held = desk.fleet.hold_next("set_desired_capacity", Hold.CALL)
    want(desk, 3)
    await held.arrived.wait()
    assert desk.pool().status.capacity_call.desired == 3
    held.release()
    await desk.until_idle(3)
    await desk.until(lambda: desk.pool().status.capacity_call is None, what="the record is cleared")


@at_a_desk()
async def test_one_need_is_launched_for_once_while_aws_shows_nothing_of_it(desk: Desk):
    desk.add_pool(idle=3, group="slow")
    desk.fleet.change_group("slow", suspended={"AZRebalance", "Launch"})
    await desk.operator()
    await desk.until(lambda: raised(desk, 3), what="three are asked for")
    await desk.looked(20)
    assert desk.fleet.count("set_desired_capacity") == 1


@at_a_desk()
async def test_after_an_unanswered_call_only_lowering_goes_on_for_five_minutes(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    late = desk.fleet.hold_next("set_desired_capacity", Hold.ORPHAN)
    want(desk, 4)
    await late.arrived.wait()
    want(desk, 1)
    await desk.until_idle(1)
    want(desk, 3)
    await desk.looked(20)
    assert raised(desk, 3) == 0
    assert desk.pool().status.capacity_call.desired == 4
    desk.clock.advance(5 * MINUTE)
    await desk.until_idle(3)


@at_a_desk()
async def test_another_operators_unanswered_call_is_respected(desk: Desk):
    desk.add_pool()
    first = await desk.operator()
    await desk.until_idle(2)
    late = desk.fleet.hold_next("set_desired_capacity", Hold.CALL)
    want(desk, 4)
    await late.arrived.wait()
    await first.kill()
    await desk.operator()
    await desk.looked(20)
    assert raised(desk, 4) == 1
    late.release()  # it arrives after all
    await desk.until_idle(4)
    assert raised(desk, 4) == 1


@pytest.mark.parametrize("trouble", [Trouble.LOSE_ANSWER, Trouble.LOSE_REQUEST])
def test_a_record_whose_answer_was_lost_does_not_stand_in_the_way_of_its_own_call(trouble: Trouble):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool()
        await desk.operator()
        await desk.until_idle(2)
        await desk.looked(10)
        desk.inject(trouble, "patch", "machinepools/status", count=3)
        want(desk, 3)
        await desk.until_idle(3)

    scenario()


@at_a_desk(detach=0.02)
async def test_at_the_ceiling_a_machine_leaves_its_group_behind_the_fence_only(desk: Desk):
    desk.add_pool(idle=2, maxMachines=2)
    await desk.operator()
    await desk.until_idle(2)
    fencing = desk.fleet.hold_next("set_max_size", Hold.CALL)
    desk.ask("demo")
    await desk.until_bound("demo")
    await fencing.arrived.wait()
    desk.clock.advance(timedelta(seconds=60))
    await desk.looked(10)
    assert desk.fleet.count("detach") == 0
    fencing.release()
    await desk.until_secured(desk.claimed()["demo"])
    actions = [call.action for call in desk.fleet.calls]
    fenced = max(at for at, action in enumerate(actions) if action == "set_max_size")
    assert "describe_groups" in actions[fenced : actions.index("detach")]
    assert (desk.group().desired, desk.group().max_size) == (1, 1)
    assert len(desk.fleet.live("desk")) == 2


@at_a_desk(launch=0.05, detach=0.03, terminate=0.03)
async def test_people_who_come_and_go_at_the_ceiling_never_exceed_it(desk: Desk):
    desk.add_pool(idle=2, maxMachines=4)
    await desk.operator()
    await desk.until_idle(2)
    for generation in range(3):
        names = [f"w{generation}{n}" for n in range(5)]
        desk.ask(*names)
        await desk.until(lambda: len(desk.claimed()) == 4, what="four have machines")
        first = min(desk.claimed())
        desk.leave(first)
        await desk.until_bound(*(name for name in names if name != first))
        desk.leave(*(name for name in names if name != first))
        await desk.until(lambda: not desk.claimed(), what="all are released")
    desk.clock.advance(timedelta(seconds=2))
    await desk.until_idle(2)


@at_a_desk()
async def test_at_the_ceiling_people_wait_in_order_and_the_next_machine_goes_to_the_first(desk: Desk):
    desk.server.create("priorityclasses", {"metadata": {"name": "vip"}, "value": 1000})
    desk.add_pool(idle=1, maxMachines=1)
    await desk.operator()
    await desk.until_idle(1)
    desk.ask("holder")
    await desk.until_bound("holder")
    desk.ask("early", "late")
    desk.ask("vip", priorityClassName="vip")

    def places() -> dict[str, int]:
        told = {name: desk.workspace(name).status.queue for name in ("vip", "early", "late")}
        return {name: place.position for name, place in told.items() if place is not None}

    await desk.until(lambda: places() == {"vip": 1, "early": 2, "late": 3}, what="everybody knows their place")
    for leaves, follows in (("holder", "vip"), ("vip", "early"), ("early", "late")):
        desk.leave(leaves)
        await desk.until_bound(follows)
        assert len(desk.claimed()) == 1


@at_a_desk()
async def test_a_shrinking_pool_gives_idle_machines_back_and_keeps_the_claimed(desk: Desk):
    desk.add_pool(idle=4)
    await desk.operator()
    await desk.until_idle(4)
    desk.ask("demo")
    await desk.until_bound("demo")
    want(desk, 1)
    await desk.until_idle(1)
    await desk.until(lambda: len(desk.fleet.live("desk")) == 2, what="one idle and one claimed are left")
    assert desk.claimed()["demo"] in desk.fleet.live("desk")


@at_a_desk()
async def test_what_a_person_set_by_hand_is_set_back(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.fleet.change_group("desk", desired=0, suspended=set(), protects_new=False, min_size=1)
    await desk.until(
        lambda: desk.group().desired == 2 and desk.group().protects_new and desk.group().min_size == 0,
        what="the group is as it was",
    )
    await desk.until(lambda: "AZRebalance" in desk.group().suspended, what="AZRebalance is suspended")
    await desk.until_idle(2)


@at_a_desk()
async def test_a_call_that_aws_answers_with_an_error_is_tried_again_at_once(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.fleet.fail_next("set_desired_capacity", Unanswered("reset"), effect=True)
    want(desk, 3)
    await desk.until_idle(3)


@at_a_desk()
async def test_a_wall_clock_that_is_set_back_delays_nothing(desk: Desk):
    desk.add_pool(idle=2)
    await desk.operator()
    await desk.until_idle(2)
    want(desk, 3)
    await desk.until_idle(3)
    desk.own_clock.skew = -60 * MINUTE
    desk.ask("red")
    await desk.until_bound("red")
    await desk.until_secured(desk.workspace("red").status.machine)
    await desk.until_idle(3)
