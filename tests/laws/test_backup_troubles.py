"""Backups that fail, with real bytes on the real adapters: the machine is kept, the condition says why, it goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes.apiserver.storage import Json
from hotdesk_local.aws.faults import Fault
from hotdesk_local.aws.ssm_model import Mood
from laws.lifecycle_flows import ARCHIVE, SNAPSHOT
from simworld.people import People
from simworld.rest import unrest
from simworld.witness import Witness
from simworld.world import SimWorld

_HOUR = 3600.0
_SETTLES_WITHIN = 5 * _HOUR  # a script that hangs is ended after four
_LIFE = {"idleTimeout": "90s", "warnBefore": "30s", "retention": "60s"}
Change = Callable[[SimWorld, str], None]


def _fault(action: str, kind: Any, code: str = "InternalFailure") -> Change:
    return lambda world, _machine: world.aws.account.faults.add(Fault(action=action, kind=kind, code=code)) and None


def _mood(mood: Mood) -> Change:
    return lambda world, machine: world.aws.world.guests.moods.update({machine: mood})


@dataclass(frozen=True)
class Trouble:
    """What goes wrong for an hour, what a user reads of it, and which call is made again and again."""

    name: str
    backup: Json
    begin: Change
    says: str
    retries: str


_TROUBLES = (
    Trouble("snapshots fail", SNAPSHOT, _fault("CreateSnapshot", "fail-later"), "ended in error", "CreateSnapshot"),
    Trouble(
        "snapshots are refused",
        SNAPSHOT,
        _fault("CreateSnapshot", "error", "UnauthorizedOperation"),
        "CreateSnapshot",
        "CreateSnapshot",
    ),
    Trouble("S3 refuses", ARCHIVE, _fault("PutObject", "error", "AccessDenied"), "S3 answered 403", "SendCommand"),
    Trouble("SSM is offline", ARCHIVE, _mood(Mood.OFFLINE), "agent", "DescribeInstanceInformation"),
    Trouble("SSM hangs", ARCHIVE, _mood(Mood.HANGING), "is at it", "ListCommandInvocations"),
    Trouble("SSM fails", ARCHIVE, _mood(Mood.FAILING), "failed on", "SendCommand"),
)


class Desk:
    """A pool with one user, who has worked and left."""

    def __init__(self, world: SimWorld, trouble: Trouble) -> None:
        self.world = world
        self.witness = Witness(world)
        self.people = People(world, self.witness)
        self.people.make_group("desk")
        self.people.make_pool("desk", idle=1, maxMachines=3, lifecycle=_LIFE, backup=trouble.backup)
        world.start_operator()
        world.pass_time(60)
        self.people.come("desk", owner="ada")
        world.pass_time(30)
        assert self.people.work(0)
        self.machine = str(self.status["machine"])

    @property
    def status(self) -> Json:
        (workspace,) = self.world.server.objects("workspaces")
        status: Json = workspace["status"]
        return status

    @property
    def state(self) -> str:
        return str(self.world.aws.world.fleet.instances[self.machine].state)

    def told(self) -> Json:
        """Return what the workspace says of its files."""
        found = (condition for condition in self.status["conditions"] if condition["type"] == "BackedUp")
        return next(found, {})

    def calls(self, action: str) -> int:
        return sum(call.action == action for call in self.world.aws.world.calls.after(0))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimWorld]:
    with SimWorld(seed=1, shares=False, root=tmp_path / "disks") as world:
        yield world


@pytest.mark.parametrize("trouble", _TROUBLES, ids=lambda trouble: trouble.name)
def test_a_machine_that_cannot_be_saved_is_kept_until_it_can(world: SimWorld, trouble: Trouble):
    desk = Desk(world, trouble)
    trouble.begin(world, desk.machine)
    world.pass_time(_HOUR)
    desk.witness.check()
    assert desk.state == ("running" if trouble.backup is ARCHIVE else "stopped")
    assert desk.status["machine"] == desk.machine
    assert desk.told()["status"] == "False", desk.told()
    assert trouble.says in desk.told()["message"], desk.told()
    before = desk.calls(trouble.retries)
    world.pass_time(_HOUR)
    assert desk.calls(trouble.retries) > before, "it is not tried any more"
    world.aws.account.faults.remove()
    world.aws.world.guests.moods.clear()
    assert world.until(lambda: not unrest(world), within=_SETTLES_WITHIN, every=10), unrest(world)
    desk.witness.check()
    assert not desk.witness.keep.at_rest()
    assert desk.status["phase"] == "Archived"
    assert desk.state in ("shutting-down", "terminated")
    kept = world.files.saved[desk.status["backup"]["id"]]
    assert kept.files == {"/home/ada/team/w1/file.txt": "text 1"}
