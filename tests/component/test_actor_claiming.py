"""The claim path, undisturbed and with every kind of answer that can be lost."""

from datetime import timedelta

import pytest

from component.desk import Desk, at_a_desk, writes
from fakes.apiserver.faults import Trouble
from hotdesk.ports import Throttled

CLAIM = ("patch", "machines")
PUBLISH = ("patch", "workspaces/status")
LOST = [Trouble.LOSE_REQUEST, Trouble.LOSE_ANSWER]


@at_a_desk()
async def test_a_claim_costs_two_writes_and_no_call_to_aws_before_the_user_has_the_ip(desk: Desk):
    desk.add_pool()
    await desk.operator(look=3_600_000, report=3_600_000)  # nothing is done by the clock
    await desk.until_idle(2)
    await desk.until(lambda: not desk.is_busy(), what="everything under way has ended")
    publishing = desk.inject(Trouble.HOLD_ANSWER, *PUBLISH)
    api, aws = len(desk.server.calls), len(desk.fleet.calls)
    desk.ask("demo")
    await publishing.arrived()
    assert writes(desk.server.calls[api:]) == ["patch machines", "patch workspaces/status"]
    assert desk.fleet.calls[aws:] == []
    status = desk.workspace("demo").status
    assert status.phase == "Running"
    assert status.private_ip == desk.machine(status.machine or "").status.private_ip
    desk.clock.advance(timedelta(seconds=30))
    publishing.open()
    await desk.until_secured(status.machine or "")
    written = writes(desk.server.calls[api:])
    assert (written.count("patch machines"), written.count("patch workspaces/status")) == (1, 1)


@at_a_desk()
async def test_a_claim_does_not_wait_for_an_aws_that_refuses_everything(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    for action in ("describe_groups", "describe_instances", "describe_pool_instances", "tag_instances", "detach"):
        desk.fleet.fail_always(action, Throttled("Rate exceeded"))
    desk.ask("a", "b")
    await desk.until_bound("a", "b")
    for action in ("describe_groups", "describe_instances", "describe_pool_instances", "tag_instances", "detach"):
        desk.fleet.heal(action)
    await desk.until_secured(*desk.claimed().values())


@at_a_desk()
async def test_several_claims_on_one_machine_ride_in_one_write(desk: Desk):
    desk.add_pool(slotsPerMachine=5, idle=5)
    operator = await desk.operator()
    await desk.until_idle(1)
    operator.is_deaf = True
    desk.ask("a", "b", "c", "d", "e")
    before = len(desk.server.calls)
    await operator.directory.resync()
    await desk.until_bound("a", "b", "c", "d", "e")
    assert writes(desk.server.calls[before:]).count("patch machines") == 1
    assert len(set(desk.claimed().values())) == 1
    assert {desk.workspace(name).status.slot for name in "abcde"} == {0, 1, 2, 3, 4}


@at_a_desk()
async def test_a_machine_that_somebody_decided_to_reap_meanwhile_is_not_given_away(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    claiming = desk.inject(Trouble.HOLD, *CLAIM)
    desk.ask("demo")
    await claiming.arrived()
    wanted = desk.server.writes("machines")[-1].name
    desk.server.patch("machines", wanted, {"spec": {"reap": {"reason": "Surplus", "at": "2026-03-02T12:00:00Z"}}})
    claiming.open()
    await desk.until_bound("demo")
    assert desk.claimed()["demo"] != wanted
    await desk.until_gone(wanted)


@at_a_desk()
async def test_a_record_that_changed_otherwise_is_read_anew_and_claimed(desk: Desk):
    desk.add_pool(idle=1)
    await desk.operator()
    await desk.until_idle(1)
    claiming = desk.inject(Trouble.HOLD, *CLAIM)
    desk.ask("demo")
    await claiming.arrived()
    desk.server.patch("machines", desk.idle()[0], {"metadata": {"labels": {"somebody": "was-here"}}})
    claiming.open()
    await desk.until_bound("demo")


@pytest.mark.parametrize("trouble", [*LOST, Trouble.LATE])
@pytest.mark.parametrize("write", [CLAIM, PUBLISH], ids=["claim", "publish"])
def test_an_answer_that_is_lost_makes_neither_a_second_claim_nor_a_second_publish(trouble: Trouble, write):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool()
        await desk.operator()
        await desk.until_idle(2)
        gate = desk.inject(trouble, *write)
        desk.ask("demo")
        await desk.until_bound("demo")
        seat = desk.workspace("demo").status.machine
        gate.open()  # what was late arrives now
        await desk.looked()
        await desk.until(lambda: len(desk.claimed()) == 1 and len(desk.idle()) == 2, what="one claim and the buffer")
        assert desk.workspace("demo").status.machine == seat == desk.claimed()["demo"]
        assert [name for name, users in desk.laws.used.items() if users] == [seat]

    scenario()


@pytest.mark.parametrize("write", [CLAIM, PUBLISH], ids=["claim", "publish"])
@pytest.mark.parametrize("trouble", [Trouble.HOLD, Trouble.HOLD_ANSWER])
def test_a_workspace_deleted_during_its_claim_leaves_no_machine_behind(trouble: Trouble, write):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool()
        operator = await desk.operator()
        await desk.until_idle(2)
        gate = desk.inject(trouble, *write)
        desk.ask("demo")
        await gate.arrived()
        claimed = desk.server.writes("machines")[-1].name
        desk.leave("demo")
        gate.open()
        # A deletion that is overtaken by the answer to the publish is found by the next comparison.
        await desk.until(lambda: not operator.directory._actors["pool"]._effects.is_busy, what="the claim has ended")
        await operator.directory.resync()
        await desk.until_gone(claimed)
        await desk.until_idle(2)
        assert not desk.claimed()

    scenario()


@pytest.mark.parametrize("write", [CLAIM, PUBLISH], ids=["claim", "publish"])
def test_a_workspace_created_anew_under_its_name_is_another_one(write):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool()
        await desk.operator()
        await desk.until_idle(2)
        gate = desk.inject(Trouble.HOLD, *write)
        desk.ask("demo")
        await gate.arrived()
        first, old = desk.server.writes("machines")[-1].name, desk.workspace("demo").metadata.uid
        desk.leave("demo")
        desk.ask("demo", owner="bob")
        gate.open()
        await desk.until_bound("demo")
        await desk.until_gone(first)
        new = desk.workspace("demo")
        assert new.metadata.uid != old
        assert new.status.machine != first
        assert not any(old in users for users in desk.laws.used.values())

    scenario()


@at_a_desk()
async def test_while_the_api_server_refuses_claims_they_are_not_hammered_and_then_made(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.inject(Trouble.ANSWER, *CLAIM, status=429, count=10_000)
    before = len(desk.server.writes("machines"))
    desk.ask("demo")
    await desk.looked(20)
    assert len(desk.server.writes("machines")) - before < 10
    desk.server.forget_faults()
    await desk.until_bound("demo")


@at_a_desk()
async def test_an_api_server_that_is_away_for_a_while_loses_nothing(desk: Desk):
    desk.add_pool()
    operator = await desk.operator()
    await desk.until_idle(2)
    await desk.server.stop()
    desk.ask("a", "b", "c")
    await desk.looked(2)
    await desk.server.start()
    await operator.directory.resync()
    await desk.until_bound("a", "b", "c")
