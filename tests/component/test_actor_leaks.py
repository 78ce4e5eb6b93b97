"""Machines whose records were lost: given back to who had them, reported, or ended, and their files never lost."""

from datetime import timedelta
from typing import Any

import pytest

from component.desk import Desk, at_a_desk
from factories import machine, number_of
from fakes.apiserver.faults import Trouble
from hotdesk.api.conditions import Condition, find_condition
from hotdesk.core.facts import Leftover
from hotdesk.core.tags import claim_tag
from hotdesk.ports import Denied

OLD = timedelta(minutes=16)
HOUR = timedelta(hours=1)
TERMINATE = {"leaks": "Terminate"}
SNAPSHOT = {"method": "EBSSnapshot"}


def told(desk: Desk) -> Condition | None:
    return find_condition(desk.pool().status.conditions, "NoLeaks")


async def until_reported(desk: Desk, machine: str) -> None:
    def reported() -> bool:
        found = told(desk)
        return found is not None and found.status == "False" and machine in found.message

    await desk.until(reported, what=f"{machine} is reported")


async def leaked(desk: Desk, **spec: Any) -> str:
    """Have a machine taken out of its group, and its record deleted, by hand."""
    desk.add_pool(**{"idle": 1, **spec})
    await desk.operator()
    await desk.until_idle(1)
    name = desk.idle()[0]
    await desk.fleet.detach(group="desk", ids=[name])
    await desk.looked()
    desk.server.delete("machines", name)
    await desk.until(lambda: desk.machine(name) is None, what="its record is gone")
    return name


async def bound_and_forgotten(desk: Desk, name: str = "demo", **spec: Any) -> str:
    """Have Kubernetes forget that a workspace has a machine, as one restored from an old backup does."""
    desk.add_pool(**{"idle": 0, "maxMachines": 1, **spec})
    operator = await desk.operator()
    desk.ask(name)
    await desk.until_bound(name)
    seat = desk.claimed()[name]
    await desk.until_secured(seat)
    await operator.kill()
    desk.server.delete("machines", seat)
    forgotten = {"phase": "Pending", "machine": None, "slot": None, "privateIP": None, "url": None}
    desk.server.patch("workspaces", name, {"status": forgotten}, namespace="team", status=True)
    return seat


@at_a_desk()
async def test_a_machine_of_nobody_is_reported_and_ended_only_when_the_pool_says_so(desk: Desk):
    lost = await leaked(desk)
    await desk.looked()
    assert told(desk).status == "True"
    desk.clock.advance(OLD)
    await until_reported(desk, lost)
    assert "never claimed" in told(desk).message
    assert lost in desk.fleet.live()
    desk.server.patch("machinepools", "pool", {"spec": {"aws": TERMINATE}})
    await desk.until_gone(lost)
    assert desk.fleet.deaths[lost].cause == "terminate_instance"
    await desk.until(lambda: told(desk).status == "True", what="nothing is leaked any more")


@pytest.mark.parametrize("policy", ["Report", "Terminate"])
def test_a_machine_that_kubernetes_forgot_is_given_back_to_its_user(policy: str):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        seat = await bound_and_forgotten(desk, aws={"leaks": policy})
        await desk.operator()
        await desk.looked(10)
        assert desk.workspace("demo").status.machine is None
        desk.clock.advance(OLD)
        await desk.until_bound("demo")
        assert desk.claimed() == {"demo": seat}
        status = desk.workspace("demo").status
        assert status.private_ip == desk.fleet.instance(seat).private_ip
        assert desk.machine(seat).status.ready_at is not None
        assert seat in desk.fleet.live()

    scenario()


@at_a_desk()
async def test_a_machine_whose_user_lives_and_has_another_is_kept_and_reported(desk: Desk):
    seat = await bound_and_forgotten(desk, maxMachines=2, aws=TERMINATE)
    await desk.operator()
    await desk.until_bound("demo")
    assert desk.claimed()["demo"] != seat
    desk.clock.advance(OLD)
    await until_reported(desk, seat)
    assert "claimed by team/demo, which has" in told(desk).message
    await desk.looked()
    assert seat in desk.fleet.live()


@at_a_desk()
async def test_a_machine_whose_user_is_gone_is_saved_before_it_is_ended(desk: Desk):
    seat = await bound_and_forgotten(desk, aws=TERMINATE, backup=SNAPSHOT)
    desk.vault.disks[seat]["/home/ada/file"] = "all of it"
    desk.leave("demo")
    await desk.operator()
    await desk.looked()
    desk.clock.advance(OLD)
    await desk.until_gone(seat)
    (saved,) = desk.vault.saved.values()
    assert saved.files["/home/ada/file"] == "all of it"
    assert saved.kept.workspace == "demo"


@at_a_desk()
async def test_a_user_whom_the_cache_does_not_know_keeps_the_machine(desk: Desk):
    desk.add_pool(idle=1, maxMachines=2, aws=TERMINATE)
    operator = await desk.operator()
    await desk.until_idle(1)
    operator.is_deaf = True
    desk.ask("demo")
    uid = desk.workspace("demo").metadata.uid
    (name,) = desk.idle()
    desk.fleet.machines[name].tags[claim_tag(name, 0)] = f"team/demo/{uid}"
    await desk.fleet.detach(group="desk", ids=[name])
    await desk.looked()
    desk.server.delete("machines", name)
    operator.directory.delete(machine(number_of(name)))
    desk.clock.advance(OLD)
    await desk.until(lambda: reads_of(desk, "demo"), what="the workspace is read")
    await desk.looked(5)
    assert name in desk.fleet.live()
    assert desk.machine(name) is None


def reads_of(desk: Desk, name: str) -> int:
    return sum(call.verb == "get" and call.name == name for call in desk.server.calls)


@at_a_desk()
async def test_a_record_whose_answer_was_lost_is_found_and_serves(desk: Desk):
    seat = await bound_and_forgotten(desk)
    await desk.operator()
    await desk.looked()
    desk.inject(Trouble.LOSE_ANSWER, verb="create", resource="machines")
    desk.clock.advance(OLD)
    await desk.until_bound("demo")
    assert desk.claimed() == {"demo": seat}


@at_a_desk()
async def test_an_adoption_that_died_before_its_workspace_was_told_is_finished_by_the_next(desk: Desk):
    seat = await bound_and_forgotten(desk)
    operator = await desk.operator()
    await desk.looked()
    gate = desk.inject(Trouble.HOLD, verb="patch", resource="machines/status", name=seat)
    desk.clock.advance(OLD)
    await desk.until(lambda: desk.claimed() == {"demo": seat}, what="it is adopted")
    await operator.kill()
    assert desk.workspace("demo").status.machine is None
    await desk.operator()
    gate.open()
    await desk.until_bound("demo")
    assert desk.workspace("demo").status.private_ip == desk.fleet.instance(seat).private_ip


@at_a_desk()
async def test_spare_disks_are_deleted_where_the_pool_says_so_and_what_is_refused_is_told(desk: Desk):
    old = desk.clock.now() - 2 * HOUR
    desk.fleet.leftovers = [Leftover("vol-old", old, "gone", is_spare=True), Leftover("vol-theirs", old)]
    desk.fleet.fail_next("delete_leftover", Denied("ec2:DeleteVolume"))
    desk.add_pool(idle=1, aws={"leaks": "Terminate"})
    await desk.operator()
    await desk.until_idle(1)
    await until_reported(desk, "vol-theirs")
    await desk.until(lambda: desk.fleet.count("delete_leftover") == 1, what="it is tried")
    desk.clock.advance(HOUR)
    await desk.until(lambda: [one.id for one in desk.fleet.leftovers] == ["vol-theirs"], what="it is deleted")
    await desk.until(lambda: "vol-old" not in told(desk).message, what="it is no longer reported")


@at_a_desk()
async def test_disks_that_nobody_uses_are_reported_and_asked_for_once_an_hour(desk: Desk):
    desk.fleet.fail_next("describe_leftovers", Denied("ec2:DescribeVolumes"))
    desk.fleet.leftovers = [Leftover("vol-old", desk.clock.now()), Leftover("vol-new", desk.clock.now() + 2 * HOUR)]
    desk.add_pool(idle=1)
    await desk.operator()
    await desk.until_idle(1)
    await desk.looked(20)
    assert desk.fleet.count("describe_leftovers") == 1
    assert told(desk).status == "True"
    desk.clock.advance(HOUR)
    await until_reported(desk, "vol-old")
    assert "vol-new" not in told(desk).message
    assert desk.fleet.count("describe_leftovers") == 2
    assert find_condition(desk.pool().status.conditions, "GroupConfigured").status == "True"
