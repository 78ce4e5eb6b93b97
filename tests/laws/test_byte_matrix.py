"""The flows in which files move, with real bytes and the real vault: each byte is there, whoever dies when."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from laws.flows import Flow
from laws.lifecycle_flows import LIFECYCLE_FLOWS
from laws.matrix import cells_of, run, start_of
from simworld.world import SimWorld

_MOVING = ("idle stop", "wake by activity", "stop and archive", "wake elsewhere", "restoreFrom", "spot interruption")
_FLOWS = [f for f in LIFECYCLE_FLOWS if f.name.startswith(_MOVING) and not f.name.endswith("none")]
_EVERY = 25
"""Of the cells `make test` tries one in so many: with a vault in memory the crash matrix tries them all."""
_PATH = "/home/ada/team/w1/file.txt"
_TEXT = "text 1"  # of which the file was made, before the flow began


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "disks"


@pytest.mark.parametrize("flow", _FLOWS, ids=lambda flow: flow.name)
def test_every_byte_is_there_whatever_an_operator_dies_at(flow: Flow, root: Path):
    _judge(flow, root, lambda number: number % _EVERY == 0)


@pytest.mark.laws
@pytest.mark.parametrize("flow", _FLOWS, ids=lambda flow: flow.name)
def test_every_byte_is_there_at_whichever_write_an_operator_dies(
    flow: Flow, root: Path, record_property: Callable[[str, object], None]
):
    record_property("cells of the byte matrix", _judge(flow, root, lambda _number: True))


def _judge(flow: Flow, root: Path, is_tried: Callable[[int], bool]) -> int:
    """Run the flow undisturbed, and with each death that is to be tried; return how many those were."""
    cells = [cell for number, cell in enumerate(cells_of(flow, 1, root=root), 1) if is_tried(number)]
    failed: list[str] = []
    for cell in (None, *cells):
        try:
            _, world = run(flow, 1, cell=cell, root=root)
            _assert_files(flow, world, root)
        except AssertionError as error:
            failed.append(f"{cell or 'undisturbed'}\n{error}")
    assert not failed, f"{len(failed)} of {len(cells)} cells failed:\n" + "\n\n".join(islice(failed, 3))
    return len(cells)


def _assert_files(flow: Flow, world: SimWorld, root: Path) -> None:
    """Assert that each workspace has the file, on its machine's disk or in its backup, and is where it should be."""
    workspaces = world.server.objects("workspaces")
    for workspace in workspaces:
        status = workspace["status"]
        is_on_disk = status.get("machine") is not None
        found = world.files.disk(status["machine"]) if is_on_disk else world.files.saved[status["backup"]["id"]].files
        assert found == {_PATH: _TEXT}, f"{workspace['metadata']['name']}: {found}\n{world.trace.told()}"
    assert len(workspaces) == (2 if flow.name.startswith("restoreFrom") else 1)
    if flow.name.startswith("wake elsewhere"):
        before, _ = start_of(flow, root)
        full = before.aws.world.config.zone_capacity
        (machine,) = (world.aws.world.fleet.instances[w["status"]["machine"]] for w in workspaces)
        assert full, "the zone that it was in has no room"
        assert machine.subnet.zone not in full
