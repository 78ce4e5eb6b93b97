"""The backup method changes while files are at rest: they come back the way they were saved, and nothing is lost."""

from datetime import timedelta
from typing import Any

import pytest

from component.desk import Desk, at_a_desk
from component.test_actor_lifecycle import (
    ARCHIVE,
    SNAPSHOT,
    at_work,
    beat,
    state,
    stopped,
    until_phase,
    until_warned,
)
from hotdesk.core.facts import InstanceState

OTHER_BUCKET = {"method": "S3Archive", "s3": {"bucket": "others"}}
NONE = {"method": "None"}
PAIRS = [
    pytest.param(SNAPSHOT, ARCHIVE, id="snapshot to archive"),
    pytest.param(ARCHIVE, SNAPSHOT, id="archive to snapshot"),
    pytest.param(SNAPSHOT, None, id="snapshot to nothing"),
    pytest.param(ARCHIVE, None, id="archive to nothing"),
    pytest.param(SNAPSHOT, NONE, id="snapshot to None"),
    pytest.param(ARCHIVE, NONE, id="archive to None"),
    pytest.param(ARCHIVE, OTHER_BUCKET, id="archive to another bucket"),
]


def turn(desk: Desk, backup: dict[str, Any] | None) -> None:
    """Have the pool keep files in another way."""
    whole = None if backup is None else {"s3": None, **backup}
    desk.server.patch("machinepools", "pool", {"spec": {"backup": whole}})


async def with_a_file(desk: Desk, backup: dict[str, Any]) -> str:
    machine = await at_work(desk, "demo", backup=backup)
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    return machine


async def comes_back(desk: Desk) -> None:
    beat(desk, "demo")
    await until_phase(desk, "demo", "Running")
    assert desk.vault.disks[desk.workspace("demo").status.machine or ""]["/home/ada/file"] == "precious"


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_what_was_archived_comes_back_by_the_method_it_was_saved_with(before: dict[str, Any], after: Any):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        machine = await with_a_file(desk, before)
        await stopped(desk, "demo")
        desk.clock.advance(timedelta(hours=24))
        await until_phase(desk, "demo", "Archived")
        await desk.until_gone(machine)
        turn(desk, after)
        await comes_back(desk)

    scenario()


@pytest.mark.parametrize(("before", "after"), [*PAIRS[:2], PAIRS[-1]])
def test_what_was_saved_before_the_change_is_archived_and_comes_back(before: dict[str, Any], after: Any):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        machine = await with_a_file(desk, before)
        await stopped(desk, "demo")
        await desk.until(lambda: desk.workspace("demo").status.backup is not None, what="the backup is told")
        turn(desk, after)
        desk.clock.advance(timedelta(hours=24))
        await until_phase(desk, "demo", "Archived")
        await desk.until_gone(machine)
        kept = desk.workspace("demo").status.backup
        assert kept is not None
        assert kept.method == before["method"]
        await comes_back(desk)

    scenario()


@at_a_desk()
async def test_a_disk_at_rest_that_is_not_saved_when_the_method_changes_is_saved_as_it_is(desk: Desk):
    desk.vault.hang("back_up")
    machine = await with_a_file(desk, SNAPSHOT)
    await stopped(desk, "demo")
    turn(desk, ARCHIVE)
    desk.vault.heal("back_up")
    await desk.until(lambda: desk.workspace("demo").status.backup is not None, what="the backup is told")
    assert state(desk, machine) is InstanceState.STOPPED
    assert desk.fleet.count("start_instance") == 0
    desk.clock.advance(timedelta(hours=24))
    await until_phase(desk, "demo", "Archived")
    await desk.until_gone(machine)
    await comes_back(desk)


@pytest.mark.parametrize("after", [SNAPSHOT, NONE, None])
def test_a_stop_that_waits_for_an_archive_goes_on_when_the_pool_makes_none_any_more(after: Any):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.vault.hang("back_up")
        await with_a_file(desk, ARCHIVE)
        desk.clock.advance(timedelta(minutes=51))
        await until_warned(desk, "demo")
        desk.clock.advance(timedelta(minutes=11))
        await until_phase(desk, "demo", "Stopping")
        turn(desk, after)
        await until_phase(desk, "demo", "Stopped")
        desk.vault.heal("back_up")
        if after is SNAPSHOT:
            await desk.until(lambda: desk.workspace("demo").status.backup is not None, what="the backup is told")
        await comes_back(desk)

    scenario()


@pytest.mark.parametrize("after", [ARCHIVE, None])
def test_what_was_promised_to_save_of_a_deleted_workspace_is_saved_after_the_change(after: Any):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.vault.hang("back_up")
        machine = await with_a_file(desk, SNAPSHOT)
        desk.leave("demo")
        await desk.until(lambda: desk.vault.count("back_up") > 0, what="it is being saved")
        turn(desk, after)
        await desk.looked()
        assert machine not in desk.fleet.deaths
        desk.vault.heal("back_up")
        await desk.until_gone(machine)
        assert [saved.files["/home/ada/file"] for saved in desk.vault.saved.values()] == ["precious"]

    scenario()


@at_a_desk()
async def test_a_pool_that_says_that_files_may_be_lost_keeps_no_machine_for_them(desk: Desk):
    desk.vault.hang("back_up")
    machine = await with_a_file(desk, SNAPSHOT)
    desk.leave("demo")
    await desk.until(lambda: desk.vault.count("back_up") > 0, what="it is being saved")
    turn(desk, NONE)
    await desk.until_gone(machine)
