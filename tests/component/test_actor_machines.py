"""Machines from launch to end, lost, shared, hung, tagged and restored."""

from datetime import timedelta

import pytest

from component.desk import Desk, at_a_desk
from hotdesk.api.conditions import find_condition
from hotdesk.ports import Denied, Throttled

READINESS = {"tcpSocket": {"port": 22}, "deadline": "1m"}


@at_a_desk()
async def test_a_used_machine_is_ended_and_never_given_to_the_next(desk: Desk):
    desk.add_pool(idle=1, maxMachines=2)
    await desk.operator()
    for name in ("a", "b", "c"):
        await desk.until_idle(1)
        desk.ask(name)
        await desk.until_bound(name)
        seat = desk.claimed()[name]
        desk.leave(name)
        await desk.until_gone(seat)
    assert all(len(users) == 1 for users in desk.laws.used.values())


@at_a_desk()
async def test_a_shared_machine_ends_with_its_last_workspace(desk: Desk):
    desk.add_pool(slotsPerMachine=5, idle=1)
    await desk.operator()
    await desk.until_idle(1)
    for name in "abcde":
        desk.ask(name)
        await desk.until_bound(name)
    shared = desk.claimed()["a"]
    assert set(desk.claimed().values()) == {shared}
    await desk.until_secured(shared)
    desk.leave("a", "b", "c", "d")
    # The operator's own view as well: until its write is answered, it counts the four slots as taken.
    await desk.until(lambda: desk.claimed() == {"e": shared} and not desk.is_busy(), what="four have left")
    desk.ask("f")
    await desk.until_bound("f")
    assert desk.claimed()["f"] == shared
    desk.leave("e", "f")
    await desk.until_gone(shared)


@at_a_desk()
async def test_who_loses_a_machine_is_told_and_gets_another(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    seat = desk.claimed()["demo"]
    reasons: list[str] = []

    def note(kind, _, stored) -> None:
        if kind.plural == "workspaces":
            reasons.extend(c["reason"] for c in stored["status"]["conditions"] if c["type"] == "Ready")

    desk.server.storage.subscribe(note)
    desk.fleet.kill(seat)
    await desk.until(lambda: desk.workspace("demo").status.machine not in (None, seat), what="another machine")
    await desk.until_bound("demo")
    assert reasons[0] == "MachineLost"
    assert reasons[-1] == "MachineReady"
    await desk.until_gone(seat)


@at_a_desk()
async def test_a_lost_machine_is_seen_soon_where_there_are_too_many_to_look_at_them_all(desk: Desk):
    desk.add_pool()
    await desk.operator(broad=1e-9)  # all are looked at once, and then in some thousand years
    await desk.until_idle(2)
    desk.ask("ada")
    await desk.until_bound("ada")
    lost = desk.claimed()["ada"]
    await desk.until_secured(lost)
    desk.fleet.kill(lost)
    await desk.until(lambda: desk.claimed().get("ada") not in {None, lost}, what="ada has another machine")


@at_a_desk()
async def test_an_idle_machine_that_dies_is_replaced(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    victim = desk.idle()[0]
    desk.fleet.kill(victim)
    await desk.until_gone(victim)
    await desk.until_idle(2)


@pytest.mark.parametrize("where", ["detached", "in its group"])
def test_a_record_deleted_by_hand_is_restored_from_the_living_machine(where: str):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool()
        if where == "in its group":
            desk.fleet.fail_always("detach", Throttled("Rate exceeded"))
        await desk.operator()
        await desk.until_idle(2)
        desk.ask("demo")
        await desk.until_bound("demo")
        seat = desk.claimed()["demo"]
        if where == "detached":
            await desk.until_secured(seat)
        desk.server.delete("machines", seat)
        desk.ask("next")  # somebody who would take it if it looked idle
        await desk.until_bound("demo", "next")
        assert desk.claimed()["demo"] == desk.workspace("demo").status.machine == seat
        assert desk.claimed()["next"] != seat
        desk.fleet.heal("detach")
        await desk.until_secured(seat)

    scenario()


@at_a_desk()
async def test_a_claim_taken_off_by_hand_is_restored(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    seat = desk.claimed()["demo"]
    desk.server.patch("machines", seat, {"spec": {"claims": []}})
    desk.ask("next")
    await desk.until_bound("demo", "next")
    assert desk.claimed()["demo"] == seat


@at_a_desk()
async def test_tags_that_cannot_be_written_are_given_up_but_the_detach_never_is(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.fleet.fail_always("tag_instances", Denied("ec2:CreateTags"))
    for _ in range(3):
        desk.fleet.fail_next("detach", Throttled("Rate exceeded"))
    desk.ask("demo")
    await desk.until_bound("demo")
    seat = desk.claimed()["demo"]
    desk.clock.advance(timedelta(seconds=5))
    await desk.until(lambda: desk.fleet.count("tag_instances") >= 1, what="tags are tried first")
    await desk.looked(5)
    assert desk.fleet.count("detach") == 0
    desk.clock.advance(timedelta(seconds=11))
    await desk.until_secured(seat)
    assert desk.fleet.count("detach") == 4

    def told() -> bool:
        configured = find_condition(desk.pool().status.conditions, "GroupConfigured")
        return configured is not None and configured.reason == "PermissionDenied"

    await desk.until(told, what="the missing permission is told")
    desk.fleet.heal("tag_instances")
    desk.clock.advance(timedelta(minutes=1))
    await desk.until(lambda: any("claim." in key for key in desk.fleet.machines[seat].tags), what="it is tagged")


@at_a_desk()
async def test_a_machine_is_handed_out_only_after_it_passed_its_probe(desk: Desk):
    desk.prober.ready = False
    desk.add_pool(readiness=READINESS, idle=1)
    await desk.operator()
    desk.ask("demo")
    await desk.until(lambda: len(desk.prober.asked) > 5, what="machines are asked")
    assert desk.workspace("demo").status.machine is None
    desk.prober.ready = True
    await desk.until_bound("demo")


@at_a_desk()
async def test_a_machine_that_never_gets_ready_is_quarantined_and_replaced(desk: Desk):
    desk.prober.ready = False
    desk.add_pool(readiness=READINESS, idle=1)
    await desk.operator()
    await desk.until(lambda: desk.prober.asked, what="a machine is asked")
    hung = desk.machines()[0].metadata.name
    desk.clock.advance(timedelta(minutes=1))
    desk.prober.ready = True
    await desk.until_idle(1)
    if hung not in desk.idle():
        await desk.until_gone(hung)


@at_a_desk()
async def test_a_member_without_protection_is_not_handed_out_until_it_is_protected(desk: Desk):
    desk.add_pool(idle=1, maxMachines=1)
    desk.fleet.change_group("desk", protects_new=False, desired=1)
    await desk.until(lambda: [m.lifecycle for m in desk.group().members.values()] == ["InService"], what="it serves")
    desk.fleet.fail_always("protect", Throttled("Rate exceeded"))
    await desk.operator()
    desk.ask("demo")
    await desk.until(lambda: desk.fleet.count("protect") >= 2, what="protection is refused")
    await desk.looked(10)
    assert not desk.claimed()
    desk.fleet.heal("protect")
    await desk.until_bound("demo")


@at_a_desk()
async def test_a_claimed_member_that_somebody_unprotects_survives_a_scale_in(desk: Desk):
    desk.add_pool(idle=1)
    await desk.operator()
    await desk.until_idle(1)
    desk.fleet.fail_always("tag_instances", Throttled("Rate exceeded"))  # it stays in its group
    desk.ask("demo")
    await desk.until_bound("demo")
    seat = desk.claimed()["demo"]
    desk.fleet.unprotect(seat)
    await desk.until(lambda: desk.group().members[seat].protected, what="it is protected again")
    desk.fleet.change_group("desk", desired=0)
    await desk.looked()
    assert seat in desk.fleet.live("desk")


@at_a_desk()
async def test_when_aws_has_no_room_the_queue_says_so_and_goes_on_when_it_has(desk: Desk):
    desk.add_pool(idle=1)
    await desk.operator()
    await desk.until_idle(1)
    desk.fleet.launch_limit = 1
    desk.ask("a", "b")

    def told() -> bool:
        waiting = desk.workspace("b").status
        available = find_condition(desk.pool().status.conditions, "CapacityAvailable")
        return "capacity" in str(waiting.conditions) and available is not None and available.status == "False"

    await desk.until_bound("a")
    await desk.until_secured(desk.claimed()["a"])
    desk.clock.advance(timedelta(seconds=31))  # AWS tries again
    await desk.until(told, what="the cause is told")
    desk.fleet.launch_limit = None
    desk.clock.advance(timedelta(seconds=31))  # AWS tries again
    await desk.until_bound("b")
