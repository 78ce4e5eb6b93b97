"""When the actors tell people: after the write that made it so, once, and only if it was made."""

import pytest

from component.desk import Desk, at_a_desk
from fakes.apiserver.faults import Trouble

PUBLISH = ("patch", "workspaces/status")


@pytest.mark.parametrize("trouble", [Trouble.HOLD, Trouble.HOLD_ANSWER])
def test_a_claim_is_told_when_the_api_server_has_accepted_it_and_not_before(trouble: Trouble):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool()
        await desk.operator()
        await desk.until_idle(2)
        publishing = desk.inject(trouble, *PUBLISH)
        desk.ask("demo")
        await publishing.arrived()
        assert desk.notices.reasons("demo") == []
        publishing.open()
        await desk.until(lambda: desk.notices.reasons("demo"), what="the claim is told")
        (notice,) = desk.notices.told
        assert (notice.reason, notice.uid) == ("Claimed", desk.workspace("demo").metadata.uid)
        assert (desk.workspace("demo").status.machine or "none") in notice.message

    scenario()


@pytest.mark.parametrize("trouble", [Trouble.LOSE_REQUEST, Trouble.LOSE_ANSWER])
def test_a_claim_whose_publication_is_in_doubt_is_told_once(trouble: Trouble):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool()
        await desk.operator()
        await desk.until_idle(2)
        desk.inject(trouble, *PUBLISH)
        desk.ask("demo")
        await desk.until_bound("demo")
        await desk.until_secured(*desk.claimed().values())
        await desk.until(lambda: desk.notices.reasons("demo"), what="the claim is told")
        await desk.looked()
        assert desk.notices.reasons("demo") == ["Claimed"]

    scenario()


@at_a_desk()
async def test_who_waits_is_told_that_and_then_what_he_got(desk: Desk):
    desk.add_pool(maxMachines=1, idle=0)
    await desk.operator()
    desk.ask("first")
    await desk.until_bound("first")
    desk.ask("second")
    await desk.until(lambda: desk.notices.reasons("second"), what="the second is told that it waits")
    desk.leave("first")
    await desk.until_bound("second")
    await desk.until(lambda: len(desk.notices.reasons("second")) > 1, what="the second is told of its machine")
    assert desk.notices.reasons("second") == ["Queued", "Claimed"]


@at_a_desk()
async def test_a_lost_machine_is_told_and_so_is_the_next_one(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    first = desk.claimed()["demo"]
    await desk.until_secured(first)
    desk.fleet.kill(first)
    await desk.until(lambda: desk.workspace("demo").status.machine not in (None, first), what="another machine")
    await desk.until(lambda: len(desk.notices.reasons("demo")) >= 3, what="it is told")
    told = [reason for reason in desk.notices.reasons("demo") if reason != "Queued"]
    assert told == ["Claimed", "MachineLost", "Claimed"]


@at_a_desk()
async def test_a_pool_without_its_group_says_so_once(desk: Desk):
    desk.add_pool(idle=0)
    await desk.operator()
    await desk.until(lambda: desk.pool().status.conditions, what="the pool is looked at")
    assert desk.notices.told == []
    desk.fleet.delete_group("desk")
    await desk.until(lambda: desk.notices.reasons("pool"), what="the pool is told")
    await desk.looked()
    assert desk.notices.reasons("pool") == ["GroupNotConfigured"]
    assert "does not exist" in desk.notices.told[0].message


@at_a_desk()
async def test_a_machine_that_never_becomes_ready_is_told(desk: Desk):
    desk.prober.ready = False
    desk.add_pool(idle=1, readiness={"httpGet": {"port": 80}, "deadline": "1s"})
    await desk.operator()
    await desk.until(
        lambda: any(notice.reason == "Quarantined" for notice in desk.notices.told), what="the machine is quarantined"
    )
    notice = next(notice for notice in desk.notices.told if notice.reason == "Quarantined")
    assert (notice.kind, notice.namespace) == ("Machine", "")
