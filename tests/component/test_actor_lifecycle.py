"""After the claim: machines rest and wake, files outlive them, and nobody at work is disturbed."""

from datetime import datetime, timedelta
from typing import Any

from component.desk import Desk, at_a_desk
from fakes.apiserver.kinds import Kind
from fakes.apiserver.storage import Json
from hotdesk.api.conditions import find_condition
from hotdesk.api.v1alpha1 import WAKE_ANNOTATION, WorkspacePhase
from hotdesk.core.facts import InstanceState
from hotdesk.ports import Denied, InsufficientCapacity

HOUR = timedelta(hours=1)
SNAPSHOT = {"method": "EBSSnapshot"}
ARCHIVE = {"method": "S3Archive", "s3": {"bucket": "files"}}


async def at_work(desk: Desk, *names: str, **spec: Any) -> str:
    """Have workspaces at work in a pool whose machines rest after an hour; return the first one's machine."""
    desk.add_pool(**{"lifecycle": {}, **spec})
    await desk.operator()
    desk.ask(*names)
    await desk.until_bound(*names)
    machines = [desk.workspace(name).status.machine or "" for name in names]
    await desk.until_secured(*machines)
    return machines[0]


async def until_phase(desk: Desk, name: str, phase: WorkspacePhase) -> None:
    await desk.until(lambda: desk.workspace(name).status.phase == phase, what=f"{name} is {phase}")


async def until_warned(desk: Desk, name: str) -> datetime:
    """Return the time at which a stop is announced, once it is."""

    def warned() -> datetime | None:
        ahead = desk.workspace(name).status.next
        return ahead.at if ahead is not None and ahead.warned_at is not None else None

    found = await desk.until(warned, what=f"{name} is warned")
    assert found is not None
    return found


async def stopped(desk: Desk, name: str) -> None:
    """Let a workspace idle until its machine is stopped."""
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, name)
    actors = [actor for operator in desk._operators for actor in operator.directory._actors.values()]
    # A warning counts from when its operator has the answer: time must not jump before.
    await desk.until(lambda: not any(actor.is_busy for actor in actors), what="it knows that it warned")
    desk.clock.advance(timedelta(minutes=11))
    await until_phase(desk, name, "Stopped")


def beat(desk: Desk, name: str, *, ago: timedelta = timedelta()) -> None:
    """Record activity, as the gateway does."""
    now = (desk.clock.now() - ago).isoformat().replace("+00:00", "Z")
    desk.server.patch(
        "workspaces",
        name,
        {"status": {"lastActivityTime": now, "activitySource": "Heartbeat"}},
        namespace="team",
        status=True,
    )


def ask_to_wake(desk: Desk, name: str) -> None:
    """Annotate, as a user does."""
    now = desk.clock.now().isoformat().replace("+00:00", "Z")
    desk.server.patch("workspaces", name, {"metadata": {"annotations": {WAKE_ANNOTATION: now}}}, namespace="team")


def state(desk: Desk, machine: str) -> InstanceState:
    instance = desk.fleet.instance(machine)
    assert instance is not None
    return instance.state


def idle_reason(desk: Desk, name: str) -> str | None:
    found = find_condition(desk.workspace(name).status.conditions, "Idle")
    return found.reason if found is not None else None


@at_a_desk()
async def test_a_stop_and_a_wake_wait_for_no_complete_look(desk: Desk):
    desk.add_pool(lifecycle={})
    await desk.operator(look=36_000_000)
    desk.ask("demo")
    await desk.until_bound("demo")
    await desk.until_secured(desk.workspace("demo").status.machine or "")
    await stopped(desk, "demo")
    ask_to_wake(desk, "demo")
    await until_phase(desk, "demo", "Running")


@at_a_desk()
async def test_a_machine_at_which_nobody_works_is_stopped_after_a_warning(desk: Desk):
    machine = await at_work(desk, "demo")
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "demo")
    told = desk.workspace("demo").status
    idle = find_condition(told.conditions, "Idle")
    assert idle is not None
    assert idle.reason == "StopWarning"
    assert told.phase == "Running"
    assert state(desk, machine) is InstanceState.RUNNING
    desk.clock.advance(timedelta(minutes=11))
    await until_phase(desk, "demo", "Stopped")
    assert state(desk, machine) is InstanceState.STOPPED
    told = desk.workspace("demo").status
    assert told.machine == machine
    assert told.url is None
    usage = await desk.until(lambda: desk.workspace("demo").status.usage, what="the time used is told")
    assert usage is not None
    assert 61 <= usage.billed_minutes <= 64


@at_a_desk()
async def test_a_sign_of_activity_after_the_warning_averts_the_stop(desk: Desk):
    machine = await at_work(desk, "demo")
    desk.clock.advance(timedelta(minutes=51))
    announced = await until_warned(desk, "demo")
    desk.clock.advance(timedelta(minutes=9))
    beat(desk, "demo")
    await desk.until(
        lambda: (ahead := desk.workspace("demo").status.next) is not None and ahead.warned_at is None,
        what="the warning is taken back",
    )
    desk.clock.advance(timedelta(minutes=10))
    await desk.looked()
    assert desk.clock.now() > announced
    assert desk.workspace("demo").status.phase == "Running"
    assert "stop_instance" not in desk.changes()
    assert state(desk, machine) is InstanceState.RUNNING


@at_a_desk()
async def test_activity_wakes_a_stopped_machine_with_its_new_address(desk: Desk):
    machine = await at_work(desk, "demo")
    before = desk.workspace("demo").status.public_ip
    await stopped(desk, "demo")
    beat(desk, "demo")
    await until_phase(desk, "demo", "Running")
    told = desk.workspace("demo").status
    assert told.machine == machine
    assert told.public_ip not in (None, before)
    assert desk.fleet.machines[machine].stop_protected
    assert told.stopped_at is None


@at_a_desk()
async def test_activity_from_before_the_stop_that_is_heard_of_after_it_wakes_the_machine(desk: Desk):
    machine = await at_work(desk, "demo")
    await stopped(desk, "demo")
    told = desk.workspace("demo").status
    assert told.stopped_at is not None
    beat(desk, "demo", ago=desk.clock.now() - told.stopped_at + timedelta(minutes=1))
    await until_phase(desk, "demo", "Running")
    assert desk.workspace("demo").status.machine == machine
    assert desk.workspace("demo").status.idle_since is None


@at_a_desk()
async def test_activity_that_is_recorded_while_the_stop_is_decided_wakes_the_machine(desk: Desk):
    await at_work(desk, "demo")
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "demo")
    late: list[timedelta] = []

    def hear(kind: Kind, _event: str, stored: Json) -> None:
        if kind.plural == "machines" and stored["spec"].get("stop") and not late:
            late.append(timedelta(minutes=2))
            beat(desk, "demo", ago=late[0])  # between the decision and what its user is told of it

    desk.server.storage.subscribe(hear)
    desk.clock.advance(timedelta(minutes=11))
    await desk.until(lambda: late, what="the stop is decided")
    await until_phase(desk, "demo", "Stopping")
    await until_phase(desk, "demo", "Running")


@at_a_desk()
async def test_what_was_heard_before_the_stop_does_not_wake_the_machine(desk: Desk):
    machine = await at_work(desk, "demo")
    desk.clock.advance(timedelta(minutes=1))
    beat(desk, "demo")
    await stopped(desk, "demo")
    await desk.looked()
    assert state(desk, machine) is InstanceState.STOPPED


@at_a_desk()
async def test_who_works_when_the_lifetime_ends_is_not_woken_by_what_was_heard_too_late(desk: Desk):
    machine = await at_work(desk, "demo", lifecycle={"idleTimeout": "Never", "maxLifetime": "1h"})
    await stopped(desk, "demo")
    told = desk.workspace("demo").status
    assert told.stopped_at is not None
    beat(desk, "demo", ago=desk.clock.now() - told.stopped_at + timedelta(minutes=1))
    await desk.looked()
    assert state(desk, machine) is InstanceState.STOPPED


@at_a_desk()
async def test_the_annotation_wakes_a_stopped_machine(desk: Desk):
    await at_work(desk, "demo")
    await stopped(desk, "demo")
    ask_to_wake(desk, "demo")
    await until_phase(desk, "demo", "Running")


@at_a_desk()
async def test_a_machine_that_was_woken_can_be_stopped_again(desk: Desk):
    machine = await at_work(desk, "demo")
    await stopped(desk, "demo")
    beat(desk, "demo")
    await until_phase(desk, "demo", "Running")
    await stopped(desk, "demo")
    assert state(desk, machine) is InstanceState.STOPPED

    def has_both() -> bool:
        usage = desk.workspace("demo").status.usage
        return usage is not None and usage.running_seconds >= 2 * 3600

    await desk.until(has_both, what="both stretches are counted")


@at_a_desk()
async def test_a_halted_workspace_is_stopped_without_a_warning_and_stays_so(desk: Desk):
    machine = await at_work(desk, "demo")
    desk.server.patch("workspaces", "demo", {"spec": {"runStrategy": "Halted"}}, namespace="team")
    await until_phase(desk, "demo", "Stopped")
    ask_to_wake(desk, "demo")
    await desk.looked()
    assert state(desk, machine) is InstanceState.STOPPED


@at_a_desk()
async def test_a_workspace_that_is_halted_from_the_start_gets_no_machine(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo", runStrategy="Halted")
    await until_phase(desk, "demo", "Stopped")
    assert desk.claimed() == {}
    desk.server.patch("workspaces", "demo", {"spec": {"runStrategy": "Always"}}, namespace="team")
    await desk.until_bound("demo")


@at_a_desk()
async def test_a_machine_in_use_that_a_person_stops_is_started_again(desk: Desk):
    machine = await at_work(desk, "demo")
    desk.fleet.stop(machine)
    await desk.until(lambda: desk.workspace("demo").status.phase == "Starting", what="demo starts")
    await until_phase(desk, "demo", "Running")
    assert state(desk, machine) is InstanceState.RUNNING


@at_a_desk()
async def test_a_shared_machine_is_stopped_only_when_all_its_workspaces_rest(desk: Desk):
    machine = await at_work(desk, "one", "two", slotsPerMachine=2)
    assert desk.workspace("two").status.machine == machine
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "one")
    beat(desk, "two")
    desk.clock.advance(timedelta(minutes=11))
    await desk.looked()
    assert state(desk, machine) is InstanceState.RUNNING
    desk.clock.advance(timedelta(minutes=45))
    await until_warned(desk, "two")
    desk.clock.advance(timedelta(minutes=11))
    await until_phase(desk, "one", "Stopped")
    await until_phase(desk, "two", "Stopped")


@at_a_desk()
async def test_a_stopped_machine_is_saved_archived_and_restored_elsewhere(desk: Desk):
    machine = await at_work(desk, "demo", backup=SNAPSHOT)
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    await stopped(desk, "demo")
    await desk.until(lambda: desk.workspace("demo").status.backup is not None, what="the backup is told")
    desk.clock.advance(timedelta(hours=24))
    await until_phase(desk, "demo", "Archived")
    await desk.until_gone(machine)
    beat(desk, "demo")
    await until_phase(desk, "demo", "Running")
    other = desk.workspace("demo").status.machine
    assert other is not None
    assert other != machine
    assert desk.vault.disks[other]["/home/ada/file"] == "precious"


@at_a_desk()
async def test_a_machine_that_another_operator_gave_back_is_no_loss(desk: Desk):
    desk.add_pool(lifecycle={}, backup=ARCHIVE)
    operator = await desk.operator()
    desk.ask("demo")
    await desk.until_bound("demo")
    machine = desk.workspace("demo").status.machine or ""
    await desk.until_secured(machine)
    told: list[str] = []
    desk.server.storage.subscribe(
        lambda kind, _event, stored: told.append(stored["status"]["phase"]) if kind.plural == "workspaces" else None
    )
    operator.is_deaf = True
    now = desk.clock.now().isoformat().replace("+00:00", "Z")
    told_so = {"phase": "Archiving", "stoppedAt": now}  # who was never stopped would get another machine at once
    desk.server.patch("workspaces", "demo", {"status": told_so}, namespace="team", status=True)
    reap = {"reason": "Archived", "at": now}
    desk.server.patch("machines", machine, {"spec": {"claims": [], "reap": reap}})
    given_back = desk.machine(machine)
    assert given_back is not None
    operator.directory.upsert(given_back)  # of the workspace it hears later
    await desk.until(lambda: desk.machine(machine) is None, what="the machine is gone")
    assert set(told) == {"Archiving"}
    operator.is_deaf = False
    operator.directory.upsert(desk.workspace("demo"))
    await until_phase(desk, "demo", "Archived")


@at_a_desk()
async def test_an_archive_is_made_before_the_machine_is_stopped(desk: Desk):
    machine = await at_work(desk, "demo", backup=ARCHIVE)
    desk.vault.hang("back_up")
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "demo")
    desk.clock.advance(timedelta(minutes=11))
    await until_phase(desk, "demo", "Stopping")
    await desk.looked()
    assert state(desk, machine) is InstanceState.RUNNING
    desk.vault.heal("back_up")
    await until_phase(desk, "demo", "Stopped")
    assert desk.workspace("demo").status.backup is not None


@at_a_desk()
async def test_a_user_who_returns_while_files_are_saved_has_the_machine_back(desk: Desk):
    machine = await at_work(desk, "demo", backup=ARCHIVE)
    desk.vault.hang("back_up")
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "demo")
    desk.clock.advance(timedelta(minutes=11))
    await until_phase(desk, "demo", "Stopping")
    beat(desk, "demo")
    await until_phase(desk, "demo", "Running")
    assert "stop_instance" not in desk.changes()
    assert state(desk, machine) is InstanceState.RUNNING


@at_a_desk()
async def test_a_deleted_workspace_is_saved_before_its_machine_ends(desk: Desk):
    machine = await at_work(desk, "demo", backup=SNAPSHOT)
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    desk.vault.hang("back_up")
    desk.leave("demo")
    await desk.until(lambda: state(desk, machine) is InstanceState.STOPPED, what="it is stopped")
    await desk.looked()
    assert machine not in desk.fleet.deaths
    desk.vault.heal("back_up")
    await desk.until_gone(machine)
    assert [saved.files["/home/ada/file"] for saved in desk.vault.saved.values()] == ["precious"]


@at_a_desk()
async def test_a_stopped_machine_whose_files_cannot_be_saved_is_kept_and_says_why(desk: Desk):
    machine = await at_work(desk, "demo", backup=SNAPSHOT)
    desk.vault.end_badly("back_up", times=1000)
    await stopped(desk, "demo")
    desk.clock.advance(timedelta(hours=30))

    def complains() -> bool:
        found = find_condition(desk.workspace("demo").status.conditions, "BackedUp")
        return found is not None and found.status == "False"

    await desk.until(complains, what="the workspace says why")
    await desk.looked()
    assert machine not in desk.fleet.deaths
    assert desk.workspace("demo").status.phase == "Stopped"


@at_a_desk()
async def test_a_missing_permission_to_save_files_is_told_to_whose_files_they_are(desk: Desk):
    machine = await at_work(desk, "demo", backup=SNAPSHOT)
    desk.vault.fail_always("back_up", Denied("not allowed to call ec2:CreateSnapshot"))
    await stopped(desk, "demo")
    await desk.until(lambda: "ec2:CreateSnapshot" in _unsaved(desk)[1], what="demo is told of the permission")
    assert _unsaved(desk)[0] == "BackupFailed"
    assert state(desk, machine) is InstanceState.STOPPED
    desk.vault.heal("back_up")
    await desk.until(lambda: desk.workspace("demo").status.backup is not None, what="the files are saved")


@at_a_desk()
async def test_a_backup_that_lasts_says_what_it_waits_for(desk: Desk):
    await at_work(desk, "demo", backup=ARCHIVE)
    desk.vault.takes = timedelta(hours=1)
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "demo")
    desk.clock.advance(timedelta(minutes=11))
    await until_phase(desk, "demo", "Stopping")
    await desk.looked()
    assert _unsaved(desk) == ("", ""), "a backup may take some minutes"
    desk.clock.advance(timedelta(minutes=6))
    await desk.until(lambda: "under way" in _unsaved(desk)[1], what="demo is told what is waited for")
    assert _unsaved(desk)[0] == "InProgress"


def _unsaved(desk: Desk) -> tuple[str, str]:
    """Return why the files of demo are not saved: reason and sentence, both empty while nothing is said."""
    found = find_condition(desk.workspace("demo").status.conditions, "BackedUp")
    return (found.reason, found.message) if found is not None and found.status == "False" else ("", "")


@at_a_desk()
async def test_without_room_to_start_a_machine_its_files_go_on_to_another(desk: Desk):
    machine = await at_work(desk, "demo", backup=SNAPSHOT)
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    await stopped(desk, "demo")
    desk.fleet.starts_refused = InsufficientCapacity("no m5.large left")
    beat(desk, "demo")
    await desk.until(lambda: desk.workspace("demo").status.machine not in (None, machine), what="it moves")
    await until_phase(desk, "demo", "Running")
    await desk.until_gone(machine)
    other = desk.workspace("demo").status.machine or ""
    assert desk.vault.disks[other]["/home/ada/file"] == "precious"


@at_a_desk()
async def test_without_room_and_without_a_backup_a_machine_is_kept_and_tried_again(desk: Desk):
    machine = await at_work(desk, "demo")
    await stopped(desk, "demo")
    desk.fleet.starts_refused = InsufficientCapacity("no m5.large left")
    beat(desk, "demo")
    await desk.until(lambda: desk.fleet.count("start_instance") >= 2, what="it is tried again")
    assert desk.workspace("demo").status.phase == "Starting"
    desk.fleet.starts_refused = None
    await until_phase(desk, "demo", "Running")
    assert desk.workspace("demo").status.machine == machine


@at_a_desk()
async def test_a_spot_machine_is_archived_instead_of_stopped(desk: Desk):
    machine = await at_work(desk, "demo", backup=ARCHIVE)
    desk.fleet.machines[machine].spot = True
    await desk.looked()
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    desk.clock.advance(timedelta(minutes=51))
    await until_warned(desk, "demo")
    desk.clock.advance(timedelta(minutes=11))
    await until_phase(desk, "demo", "Archived")
    await desk.until_gone(machine)
    assert "stop_instance" not in desk.changes()
    beat(desk, "demo")
    await until_phase(desk, "demo", "Running")
    other = desk.workspace("demo").status.machine or ""
    assert desk.vault.disks[other]["/home/ada/file"] == "precious"


@at_a_desk()
async def test_a_spot_machine_without_a_backup_is_not_stopped(desk: Desk):
    machine = await at_work(desk, "demo")
    desk.fleet.machines[machine].spot = True
    await desk.looked(20)
    desk.clock.advance(timedelta(hours=5))
    await desk.looked()
    assert desk.workspace("demo").status.phase == "Running"
    assert machine not in desk.fleet.deaths
    assert idle_reason(desk, "demo") == "SpotCannotStop"
    beat(desk, "demo")
    await desk.until(lambda: idle_reason(desk, "demo") == "Active", what="demo is active again")


@at_a_desk()
async def test_a_spot_warning_saves_the_files_and_moves_the_user_at_once(desk: Desk):
    machine = await at_work(desk, "demo", backup=ARCHIVE)
    desk.fleet.machines[machine].spot = True
    await desk.looked()
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    now = desk.clock.now().isoformat().replace("+00:00", "Z")
    doom = {"reason": "SpotInterruption", "announcedAt": now, "at": now}
    desk.server.patch("machines", machine, {"status": {"interruption": doom}}, status=True)
    await desk.until(lambda: desk.workspace("demo").status.machine not in (None, machine), what="it moves")
    await until_phase(desk, "demo", "Running")
    other = desk.workspace("demo").status.machine or ""
    assert desk.vault.disks[other]["/home/ada/file"] == "precious"


@at_a_desk()
async def test_a_new_workspace_begins_with_the_files_of_another(desk: Desk):
    machine = await at_work(desk, "demo", backup=SNAPSHOT)
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    await stopped(desk, "demo")
    await desk.until(lambda: desk.workspace("demo").status.backup is not None, what="the backup is told")
    desk.ask("copy", restoreFrom={"workspace": "demo"})
    await until_phase(desk, "copy", "Running")
    other = desk.workspace("copy").status.machine or ""
    assert other != machine
    assert desk.vault.disks[other]["/home/ada/file"] == "precious"


@at_a_desk()
async def test_nobody_begins_with_the_files_of_another_owner(desk: Desk):
    machine = await at_work(desk, "demo", backup=SNAPSHOT)
    desk.vault.disks[machine]["/home/ada/file"] = "precious"
    await stopped(desk, "demo")
    await desk.until(lambda: desk.workspace("demo").status.backup is not None, what="the backup is told")
    backup = desk.workspace("demo").status.backup
    assert backup is not None
    desk.ask("thief", owner="eve", restoreFrom={"workspace": "demo"})
    desk.ask("burglar", owner="eve", restoreFrom={"backup": backup.id})

    def refused(name: str) -> bool:
        ready = find_condition(desk.workspace(name).status.conditions, "Ready")
        return ready is not None and ready.reason == "RestoreFailed"

    await desk.until(lambda: refused("thief") and refused("burglar"), what="both are refused")
    for name in ("thief", "burglar"):
        assert "/home/ada/file" not in desk.vault.disks[desk.workspace(name).status.machine or ""]
