"""Operators that die at any moment, and several at once: what one left, the next one finds."""

import asyncio

import pytest

from component.desk import Desk, at_a_desk, writes
from fakes.apiserver.faults import Trouble


@at_a_desk()
async def test_a_claim_that_was_not_published_is_rewritten_and_published(desk: Desk):
    desk.add_pool()
    first = await desk.operator()
    await desk.until_idle(2)
    late = desk.inject(Trouble.LATE, "patch", "workspaces/status")
    held = desk.inject(Trouble.HOLD, "get", "workspaces")
    desk.ask("demo")
    await held.arrived()  # it asks what became of its publish
    await first.kill()
    seat = desk.claimed()["demo"]
    claimed_at = desk.machine(seat).spec.claims[0].claimed_at
    await desk.operator()
    await desk.until_bound("demo")
    assert desk.claimed() == {"demo": seat}
    assert desk.machine(seat).spec.claims[0].claimed_at > claimed_at
    published = desk.workspace("demo").metadata.resource_version
    late.open()
    await desk.looked()
    assert desk.workspace("demo").metadata.resource_version == published


@at_a_desk()
async def test_a_claim_that_was_published_is_left_alone_and_secured(desk: Desk):
    desk.add_pool()
    first = await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    await first.kill()
    seat = desk.claimed()["demo"]
    assert seat in desk.group().members
    before = len(desk.server.calls)
    await desk.operator()
    await desk.until_secured(seat)
    assert seat not in desk.group().members
    assert not any(
        c.verb == "patch" and c.name == seat and c.resource == "machines" for c in desk.server.calls[before:]
    )
    assert "patch workspaces/status" not in writes(desk.server.calls[before:])


@at_a_desk()
async def test_the_machine_of_a_workspace_deleted_meanwhile_is_ended(desk: Desk):
    desk.add_pool()
    first = await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    await first.kill()
    seat = desk.claimed()["demo"]
    desk.leave("demo")
    await desk.operator()
    await desk.until_gone(seat)
    await desk.until_idle(2)


@at_a_desk()
async def test_a_claim_of_a_workspace_that_is_published_elsewhere_is_dropped(desk: Desk):
    desk.add_pool()
    first = await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    await desk.until_idle(2)
    await first.kill()
    seat, other = desk.claimed()["demo"], desk.idle()[0]
    claim = desk.server.get("machines", seat)["spec"]["claims"][0]
    desk.server.patch("machines", other, {"spec": {"claims": [claim]}})
    await desk.operator()
    await desk.until_gone(other)
    assert desk.claimed() == {"demo": seat}
    assert desk.workspace("demo").status.machine == seat
    await desk.until_idle(2)


@at_a_desk()
async def test_a_machine_to_be_ended_is_ended_by_whoever_comes_next(desk: Desk):
    desk.add_pool()
    first = await desk.operator()
    await desk.until_idle(2)
    ending = desk.inject(Trouble.HOLD_ANSWER, "patch", "machines")
    desk.server.patch("machinepools", "pool", {"spec": {"buffer": {"idle": 1}}})
    await ending.arrived()
    await first.kill()
    (reaped,) = (made.metadata.name for made in desk.machines() if made.spec.reap is not None)
    await desk.operator()
    await desk.until_gone(reaped)
    await desk.until_idle(1)


@pytest.mark.parametrize("step", range(1, 32, 3))
def test_killed_at_any_write_of_a_burst_everybody_is_served_and_no_law_is_broken(step: int):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool(idle=3, slotsPerMachine=1)
        first = await desk.operator()
        await desk.until_idle(3)
        before = len(desk.server.calls)
        names = [f"w{n}" for n in range(6)]
        desk.ask(*names)
        await desk.until(lambda: len(writes(desk.server.calls[before:])) >= step, what=f"write {step} was sent")
        await first.kill()
        desk.leave("w0")
        await desk.operator()
        await desk.until_bound(*names[1:])
        await desk.until_idle(3)
        await desk.until(lambda: desk.claimed().keys() == set(names[1:]), what="nobody else holds a machine")

    scenario()


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_two_operators_racing_for_one_pool_break_no_law(delay: int):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool(idle=4, maxMachines=12)
        await desk.operator()
        await desk.operator(upkeep_gap=5 + delay)
        await desk.until_idle(4)
        names = [f"w{n}" for n in range(8)]
        for name in names:
            desk.ask(name)
            await asyncio.sleep(delay / 1000)
        await desk.until_bound(*names)
        await desk.until_secured(*desk.claimed().values())
        desk.leave(*names[:4])
        await desk.until(lambda: desk.claimed().keys() == set(names[4:]), what="four are released")
        await desk.until_idle(4)
        await desk.until(lambda: len(desk.fleet.live("desk")) == 8, what="nothing is left over")
        assert len(set(desk.claimed().values())) == 4

    scenario()


@pytest.mark.parametrize("survivor", [0, 1])
def test_of_two_operators_each_can_go_on_alone(survivor: int):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool()
        both = [await desk.operator(), await desk.operator()]
        await desk.until_idle(2)
        desk.ask("a", "b", "c", "d")
        await both[1 - survivor].kill()
        await desk.until_bound("a", "b", "c", "d")
        await desk.until_idle(2)

    scenario()
