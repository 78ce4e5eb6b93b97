"""What a vault promises, in memory and on the simulated AWS with real bytes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from component.simulated_cloud import Cloud, running_cloud
from contract.vault_harness import POOL, FakeWorld, RealWorld, VaultWorld
from hotdesk.api.v1alpha1 import Backup, BackupMethod
from hotdesk.core.backups import BackupJob, Kept, Stage
from hotdesk.core.encoding import folder_of, workspace_folder

METHODS: list[BackupMethod] = ["S3Archive", "EBSSnapshot"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield cloud


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[VaultWorld]:
    if request.param == "fake":
        world: VaultWorld = FakeWorld()
    else:
        cloud: Cloud = request.getfixturevalue("cloud")
        cloud.reset()
        world = RealWorld(cloud)
    yield world
    world.close()


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> BackupMethod:
    return request.param


def test_files_come_back_on_another_machine_in_another_zone(world: VaultWorld, method: BackupMethod):
    one = world.launch(zone=0)
    world.write(one, "/home/ada/engine/notes.txt", "as they were")
    world.write(one, "/home/ada/.profile", "hidden")
    world.ready(one, method)
    job = world.backup_job(one, world.backup(method))
    kept = world.back_up(job)
    world.kill(one)
    other = world.launch(zone=1)
    assert world.instance(other).zone != job.zone
    world.restore(world.restore_job(other, job, kept))
    assert world.files(other) == {"/home/ada/engine/notes.txt": "as they were", "/home/ada/.profile": "hidden"}


def saved(world: VaultWorld, method: BackupMethod, *, text: str = "as it was", **job: Any) -> tuple[BackupJob, Kept]:
    """One file on a machine, and its backup."""
    machine = world.launch()
    world.write(machine, "/home/ada/notes", text)
    world.ready(machine, method)
    asked = world.backup_job(machine, world.backup(method), **job)
    return asked, world.back_up(asked)


def test_only_what_is_below_the_paths_is_brought_back(world: VaultWorld, method: BackupMethod):
    machine = world.launch()
    for path in ("/home/ada/a", "/srv/ada/b", "/etc/c", "/homes/d"):
        world.write(machine, path, "x")
    world.ready(machine, method)
    job = world.backup_job(machine, world.backup(method, "/home", "/srv/ada"))
    kept = world.back_up(job)
    other = world.launch()
    world.restore(world.restore_job(other, job, kept))
    assert set(world.files(other)) == {"/home/ada/a", "/srv/ada/b"}


@pytest.mark.parametrize("owner", ["ann@example.com", "Jürgen {{x}} 'y'", "team/ann", "@PART@"])
def test_of_a_shared_machine_only_the_owners_files_are_saved(world: VaultWorld, method: BackupMethod, owner: str):
    machine, who = world.launch(), world.workspace()
    mine = f"/home/{workspace_folder(owner, namespace=who.namespace, name=who.name)}"
    world.write(machine, f"{mine}/a", "mine")
    world.write(machine, f"/home/{folder_of(owner)}/lab/other/a", "of another workspace of mine")
    world.write(machine, "/home/bob/b", "bob's")
    world.write(machine, "/home/c", "nobody's")
    world.ready(machine, method)
    job = world.backup_job(machine, world.backup(method), owner=owner, is_shared=True, slot=1, workspace=who)
    kept = world.back_up(job)
    other = world.launch()
    world.write(other, "/home/bob/b", "another bob's")
    world.restore(world.restore_job(other, job, kept, is_shared=True))
    assert world.files(other) == {f"{mine}/a": "mine", "/home/bob/b": "another bob's"}
    assert kept.owner == owner


@pytest.mark.parametrize("owner", ["ann@example.com", "J,r.*[n] &\\\\1 'y'"])
def test_two_workspaces_of_one_owner_on_one_machine_keep_their_files_apart(
    world: VaultWorld, method: BackupMethod, owner: str
):
    machine, first, second = world.launch(), world.workspace("first"), world.workspace("second")
    home = f"/home/{folder_of(owner)}/lab"
    world.write(machine, f"{home}/first/notes", "of the first")
    world.write(machine, f"{home}/first/deep/er", "of the first too")
    world.write(machine, f"{home}/second/notes", "of the second")
    world.ready(machine, method)
    backup = world.backup(method)
    jobs = [
        world.backup_job(machine, backup, owner=owner, is_shared=True, slot=slot, workspace=who)
        for slot, who in enumerate((first, second))
    ]
    kept = [world.back_up(job) for job in jobs]
    other = world.launch()
    world.write(other, f"{home}/second/notes", "newer, of the second")
    world.restore(world.restore_job(other, jobs[0], kept[0], is_shared=True))
    back = {f"{home}/first/notes": "of the first", f"{home}/first/deep/er": "of the first too"}
    assert world.files(other) == {**back, f"{home}/second/notes": "newer, of the second"}
    third = world.workspace("third")
    world.restore(world.restore_job(other, jobs[1], kept[1], is_shared=True, workspace=third, slot=1))
    there = {f"{home}/second/notes": "newer, of the second", f"{home}/third/notes": "of the second"}
    assert world.files(other) == {**back, **there}


def test_to_a_shared_machine_only_the_owners_files_come_from_a_whole_one(world: VaultWorld, method: BackupMethod):
    machine = world.launch()
    world.write(machine, "/home/ada/a", "mine")
    world.write(machine, "/home/bob/b", "old")
    world.ready(machine, method)
    job = world.backup_job(machine, world.backup(method))
    kept = world.back_up(job)
    other = world.launch()
    world.restore(world.restore_job(other, job, kept, is_shared=True))
    assert world.files(other) == {"/home/ada/lab/desk/a": "mine"}


def test_a_backup_that_is_done_stays_done(world: VaultWorld, method: BackupMethod):
    job, kept = saved(world, method)
    world.restart()
    again = world.run(world.vault.back_up(job))
    assert (again.stage, again.kept) == (Stage.DONE, kept)
    assert world.found(job) == [kept]


def test_backup_outlives_its_machine(world: VaultWorld, method: BackupMethod):
    job, kept = saved(world, method)
    world.kill(job.instance)
    assert world.found(job) == [kept]
    assert world.run(world.vault.back_up(job)).kept == kept


def test_proof_says_whose_files_they_are(world: VaultWorld, method: BackupMethod):
    owner = "Zoë <zoë@exämple.org> ~" + "ü" * 100
    began = world.now()
    job, kept = saved(world, method, owner=owner)
    who = job.workspace
    assert (kept.namespace, kept.workspace, kept.uid, kept.owner) == (who.namespace, who.name, who.uid, owner)
    assert kept.method == method
    assert kept.size > 0
    a_second = timedelta(seconds=1)  # AWS's times have no fractions everywhere
    assert began - a_second <= kept.began_at <= kept.completed_at + a_second
    assert kept.completed_at <= world.now()


def test_restored_files_are_never_overwritten_by_a_repeated_restore(world: VaultWorld, method: BackupMethod):
    job, kept = saved(world, method)
    other = world.launch()
    restore = world.restore_job(other, job, kept)
    world.restore(restore)
    world.write(other, "/home/ada/notes", "edited since")
    world.restart()
    assert world.run(world.vault.restore(restore)).stage is Stage.DONE
    world.pause()
    assert world.run(world.vault.restore(restore)).stage is Stage.DONE
    assert world.files(other) == {"/home/ada/notes": "edited since"}


def test_backup_that_failed_begins_anew_when_asked_again(world: VaultWorld, method: BackupMethod):
    machine = world.launch()
    world.write(machine, "/home/ada/notes", "x")
    world.ready(machine, method)
    world.break_next_backup(method)
    job = world.backup_job(machine, world.backup(method))
    failed = world.backed_up(job, Stage.FAILED)
    assert failed.message
    assert failed.kept is None
    assert world.found(job) == []
    kept = world.back_up(job)
    assert world.found(job) == [kept]


def test_machine_in_the_wrong_state_is_not_backed_up(world: VaultWorld, method: BackupMethod):
    machine = world.launch()
    if method == "S3Archive":
        world.stop(machine)
    job = world.backup_job(machine, world.backup(method))
    assert machine in world.backed_up(job, Stage.FAILED).message
    assert world.found(job) == []


def test_job_of_an_earlier_start_is_refused(world: VaultWorld, method: BackupMethod):
    machine = world.launch()
    world.ready(machine, method)
    launched_at = world.instance(machine).launched_at
    assert launched_at is not None
    earlier = launched_at - timedelta(minutes=5)
    job = world.backup_job(machine, world.backup(method), launched_at=earlier)
    assert machine in world.backed_up(job, Stage.FAILED).message
    assert world.found(job) == []


def test_machine_that_is_gone_is_neither_saved_nor_filled(world: VaultWorld, method: BackupMethod):
    machine = world.launch()
    world.ready(machine, method)
    job = world.backup_job(machine, world.backup(method))
    other_job, kept = saved(world, method)
    restore = world.restore_job(machine, other_job, kept)
    world.kill(machine)
    assert machine in world.backed_up(job, Stage.FAILED).message
    assert machine in world.restored(restore, Stage.FAILED).message


def test_backup_that_does_not_exist_is_not_restored(world: VaultWorld, method: BackupMethod):
    job, kept = saved(world, method)
    other = world.launch()
    missing = "snap-0123456789abcdef0" if method == "EBSSnapshot" else f"desk/no/{kept.id}"
    failed = world.restored(world.restore_job(other, job, kept, kept_id=missing), Stage.FAILED)
    assert missing in failed.message
    assert world.files(other) == {}


def test_empty_machine_can_be_saved_and_brought_back(world: VaultWorld, method: BackupMethod):
    machine = world.launch()
    world.ready(machine, method)
    job = world.backup_job(machine, world.backup(method))
    kept = world.back_up(job)
    other = world.launch()
    world.restore(world.restore_job(other, job, kept))
    assert world.files(other) == {}


def test_each_closing_of_access_is_a_backup_of_its_own(world: VaultWorld, method: BackupMethod):
    first, old = saved(world, method)
    world.pause()
    second = replace(first, not_before=first.not_before + timedelta(seconds=2))
    new = world.back_up(second)
    assert new.id != old.id
    assert [kept.id for kept in world.found(first)] == [new.id, old.id]


def test_backups_are_found_by_workspace_and_by_id(world: VaultWorld, method: BackupMethod):
    job, kept = saved(world, method)
    other_job, other = saved(world, method)
    assert world.found(job) == [kept]
    assert world.found(other_job) == [other]
    by_id = world.vault.find_by_id
    assert world.run(by_id(backup=job.backup, id=kept.id)) == kept
    missing = "snap-0123456789abcdef0" if method == "EBSSnapshot" else f"{kept.id[:-10]}0.tar.gz"
    for name in (missing, "nothing", "desk/x.tar.gz", "snap-1", "snap-*"):
        assert world.run(by_id(backup=job.backup, id=name)) is None


def test_pruning_deletes_what_is_not_to_be_kept_of_this_workspace(world: VaultWorld, method: BackupMethod):
    job, old = saved(world, method)
    stranger_job, stranger = saved(world, method)
    world.pause()
    new = world.back_up(replace(job, not_before=job.not_before + timedelta(seconds=2)))
    who = job.workspace
    for _ in range(2):
        world.run(world.vault.prune(pool=POOL, backup=job.backup, namespace=who.namespace, uid=who.uid, keep=[new.id]))
    assert world.found(job) == [new]
    assert world.run(world.vault.find_by_id(backup=job.backup, id=old.id)) is None
    assert world.found(stranger_job) == [stranger]
    other = world.launch()
    world.restore(world.restore_job(other, job, new))
    assert world.files(other) == {"/home/ada/notes": "as it was"}


def test_pool_without_a_method_keeps_nothing(world: VaultWorld, method: BackupMethod):
    job, _ = saved(world, method)
    none = replace(job, backup=Backup(method="None"))
    assert world.backed_up(none, Stage.FAILED).message
    assert world.found(none) == []
