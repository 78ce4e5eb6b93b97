"""What the law machine and the crash matrix found in the life of machines: each once more, as plainly as it goes."""

from datetime import timedelta

from component.desk import Desk, at_a_desk
from component.test_actor_lifecycle import SNAPSHOT, at_work, stopped, until_phase
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
