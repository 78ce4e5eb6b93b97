"""Spot machines, which EC2 cannot stop: they are saved while they run, by either method, and end."""

from datetime import timedelta
from typing import Any

from component.desk import Desk, at_a_desk
from component.test_actor_lifecycle import SNAPSHOT, at_work, beat, until_phase, until_warned
from hotdesk.api.conditions import find_condition


async def on_spot(desk: Desk, **spec: Any) -> str:
    """Have a workspace with a precious file at work on a spot machine."""
    machine = await at_work(desk, "demo", **spec)
    desk.fleet.machines[machine].spot = True
    await desk.looked()
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    return machine


async def idled(desk: Desk) -> None:
    """Let it idle until its machine is to rest."""
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "demo")
    desk.clock.advance(timedelta(minutes=11))


@at_a_desk()
async def test_an_idle_spot_machine_is_saved_by_a_snapshot_while_it_runs_and_ends(desk: Desk):
    machine = await on_spot(desk, backup=SNAPSHOT)
    desk.vault.hang("back_up")
    await idled(desk)
    await until_phase(desk, "demo", "Stopping")
    await desk.looked()
    assert machine not in desk.fleet.deaths
    desk.vault.heal("back_up")
    await until_phase(desk, "demo", "Archived")
    await desk.until_gone(machine)
    assert "stop_instance" not in desk.changes()
    beat(desk, "demo")
    await until_phase(desk, "demo", "Running")
    assert desk.vault.disks[desk.workspace("demo").status.machine or ""]["/home/ada/file"] == "precious"


@at_a_desk()
async def test_a_deleted_workspace_on_a_spot_machine_is_saved_by_a_snapshot_and_the_machine_ends(desk: Desk):
    machine = await on_spot(desk, backup=SNAPSHOT)
    desk.leave("demo")
    await desk.until_gone(machine)
    assert [saved.files["/home/ada/file"] for saved in desk.vault.saved.values()] == ["precious"]
    assert "stop_instance" not in desk.changes()


@at_a_desk()
async def test_a_spot_warning_saves_the_files_by_a_snapshot_too(desk: Desk):
    machine = await on_spot(desk, backup=SNAPSHOT)
    now = desk.clock.now().isoformat().replace("+00:00", "Z")
    doom = {"reason": "SpotInterruption", "announcedAt": now, "at": now}
    desk.server.patch("machines", machine, {"status": {"interruption": doom}}, status=True)
    await desk.until(lambda: desk.workspace("demo").status.machine not in (None, machine), what="it moves")
    await until_phase(desk, "demo", "Running")
    assert desk.vault.disks[desk.workspace("demo").status.machine or ""]["/home/ada/file"] == "precious"


@at_a_desk()
async def test_a_spot_machine_whose_pool_keeps_no_files_any_more_is_not_ended_but_used_on(desk: Desk):
    machine = await on_spot(desk, backup=SNAPSHOT)
    desk.vault.hang("back_up")
    await idled(desk)
    await until_phase(desk, "demo", "Stopping")
    desk.server.patch("machinepools", "pool", {"spec": {"backup": None}})
    await until_phase(desk, "demo", "Running")
    assert desk.workspace("demo").status.machine == machine
    assert machine not in desk.fleet.deaths


@at_a_desk()
async def test_who_cannot_be_saved_because_the_machine_does_not_answer_is_told_so(desk: Desk):
    await on_spot(desk, backup=SNAPSHOT)
    desk.vault.hang("back_up", "SSM's agent does not answer")
    await idled(desk)
    await until_phase(desk, "demo", "Stopping")
    asked = desk.vault.count("back_up")
    await desk.until(lambda: desk.vault.count("back_up") >= asked + 3, what="it is asked for")
    desk.clock.advance(timedelta(minutes=2))

    def complains() -> bool:
        found = find_condition(desk.workspace("demo").status.conditions, "BackedUp")
        return found is not None and found.status == "False" and "SSM" in found.message

    await desk.until(complains, what="the workspace says why")
