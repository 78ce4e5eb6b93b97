"""What the law machine and the crash matrix found in the life of machines: each once more, as plainly as it goes."""

from datetime import datetime, timedelta

from component.desk import Desk, at_a_desk
from component.test_actor_lifecycle import ARCHIVE, SNAPSHOT, at_work, beat, stopped, until_phase, until_warned
from fakes.apiserver.kinds import Kind
from fakes.apiserver.storage import Json


@at_a_desk()
async def test_a_workspace_that_is_archived_is_never_told_that_its_machine_was_lost(desk: Desk):
    told: list[str] = []

    def hear(kind: Kind, _event: str, stored: Json) -> None:
        if kind.plural == "workspaces":
            told.append(stored["status"]["phase"])

    machine = await at_work(desk, "demo", backup=SNAPSHOT)
    await stopped(desk, "demo")
    desk.server.storage.subscribe(hear)
    desk.clock.advance(timedelta(hours=25))
    await until_phase(desk, "demo", "Archived")
    await desk.until_gone(machine)
    assert list(dict.fromkeys(told)) == ["Stopped", "Archiving", "Archived"]


@at_a_desk(stop=0.3)
async def test_ec2_is_told_once_to_stop_a_machine(desk: Desk):
    await at_work(desk, "demo")
    await stopped(desk, "demo")
    assert desk.fleet.count("stop_instance") == 1


@at_a_desk()
async def test_a_stop_that_is_taken_back_leaves_the_machine_as_it_was(desk: Desk):
    machine = await at_work(desk, "demo", backup=ARCHIVE)
    desk.vault.hang("back_up")
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "demo")
    desk.clock.advance(timedelta(minutes=11))
    await desk.until(lambda: phase_of(desk, machine) == "Stopping", what="it is being stopped")
    await until_phase(desk, "demo", "Stopping")
    beat(desk, "demo")
    await until_phase(desk, "demo", "Running")
    await desk.until(lambda: phase_of(desk, machine) == "Claimed", what="its record says that it serves")


@at_a_desk()
async def test_a_workspace_is_not_archived_before_those_that_share_its_machine(desk: Desk):
    await at_work(desk, "one", "two", slotsPerMachine=2, backup=SNAPSHOT)
    desk.server.patch("workspaces", "two", {"spec": {"retention": "Never"}}, namespace="team")
    desk.clock.advance(timedelta(minutes=51))
    for name in ("one", "two"):
        await until_warned(desk, name)
    desk.clock.advance(timedelta(minutes=11))
    for name in ("one", "two"):
        await until_phase(desk, name, "Stopped")
    desk.clock.advance(timedelta(hours=25))
    await desk.looked()
    assert desk.workspace("one").status.phase == "Stopped"
    beat(desk, "one")
    await until_phase(desk, "one", "Running")


@at_a_desk()
async def test_an_archive_made_by_a_clock_that_is_behind_counts(desk: Desk):
    desk.vault.world.clock = _Behind(desk)
    machine = await at_work(desk, "demo", backup=ARCHIVE)
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    await stopped(desk, "demo")
    assert desk.workspace("demo").status.backup is not None


def phase_of(desk: Desk, machine: str) -> str:
    found = desk.machine(machine)
    assert found is not None
    return found.status.phase


class _Behind:
    """The vault's clock, which is a minute behind that of the operator."""

    def __init__(self, desk: Desk) -> None:
        self._clock = desk.clock

    def now(self) -> datetime:
        return self._clock.now() - timedelta(minutes=1)

    def monotonic(self) -> float:
        return self._clock.monotonic()
