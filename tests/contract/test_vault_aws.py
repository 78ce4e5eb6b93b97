"""The vault in trouble on AWS: agents, snapshots and S3 that fail, answers that are lost, operators that die."""

import os
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from component.simulated_cloud import NEVER, Cloud, running_cloud
from contract.vault_harness import POOL, Called, Fate, RealWorld, well
from hotdesk.adapters.aws.vault import scripts
from hotdesk.adapters.aws.vault.jobs import backup_name
from hotdesk.api.v1alpha1 import Backup, BackupMethod, S3Place
from hotdesk.core.backups import BackupJob, Kept, RestoreJob, Stage
from hotdesk.ports import Denied
from waiting import wait_for

METHODS: list[BackupMethod] = ["S3Archive", "EBSSnapshot"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield cloud


@pytest.fixture
def world(cloud: Cloud) -> Iterator[RealWorld]:
    cloud.reset()
    world = RealWorld(cloud)
    yield world
    world.close()


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> BackupMethod:
    return request.param


def prepared(world: RealWorld, method: BackupMethod) -> BackupJob:
    machine = world.launch()
    world.write(machine, "/home/ada/notes", "as it was")
    world.ready(machine, method)
    return world.backup_job(machine, world.backup(method))


def flow(world: RealWorld, method: BackupMethod, *, consistency: float = 0) -> tuple[BackupJob, Kept]:
    """A backup, the end of its machine, and a restore to another zone, through whatever `fates` say."""
    job = prepared(world, method)
    other = world.launch(zone=1)
    world.cloud.configure(consistency=consistency)
    kept = world.back_up(job)
    world.kill(job.instance)
    restore = world.restore_job(other, job, kept)
    world.restore(restore)
    assert world.files(other) == {"/home/ada/notes": "as it was"}
    return job, kept


def assert_tidy(world: RealWorld, job: BackupJob) -> None:
    """Nothing is left but one backup."""
    volumes = world.cloud.ec2.describe_volumes(Filters=[{"Name": "tag-key", "Values": ["hotdesk.dev/restore"]}])[
        "Volumes"
    ]
    assert volumes == []
    if job.backup.method == "EBSSnapshot":
        ours = [{"Name": "tag:hotdesk.dev/backup", "Values": [backup_name(job)]}]
        assert len(world.cloud.ec2.describe_snapshots(Filters=ours)["Snapshots"]) == 1
    else:
        assert len(world.objects()) == 2
        assert "Uploads" not in world.s3.list_multipart_uploads(Bucket=world.bucket)


class EachCallTwice:
    """Every call fails in two ways before it goes well, whatever asks for it and how often."""

    def __init__(self, *fates: Fate) -> None:
        self._fates = fates
        self._seen: dict[Called, int] = defaultdict(int)

    def __call__(self, called: Called) -> Fate:
        number = self._seen[called]
        self._seen[called] += 1
        return self._fates[number] if number < len(self._fates) else Fate.WELL


@pytest.mark.parametrize(
    "fates", [(Fate.DIES_BEFORE, Fate.DIES_AFTER), (Fate.LOST_CALL, Fate.LOST_ANSWER)], ids=["dies", "lost"]
)
def test_nothing_is_lost_when_it_goes_wrong_at_every_single_call(
    world: RealWorld, method: BackupMethod, fates: tuple[Fate, ...]
):
    world.fates = EachCallTwice(*fates)
    job, kept = flow(world, method)
    world.fates = well
    assert world.found(job) == [kept]
    assert_tidy(world, job)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_when_calls_go_wrong_at_random(world: RealWorld, method: BackupMethod, seed: int):
    chance = random.Random(seed)  # noqa: S311  # no secret
    world.fates = lambda _called: chance.choice(list(Fate)) if chance.random() < 0.4 else Fate.WELL
    job, kept = flow(world, method, consistency=0.2)
    world.fates = well
    assert world.found(job) == [kept]
    if method == "S3Archive":
        assert_tidy(world, job)


def test_archive_too_large_for_one_piece_is_sent_in_parts(world: RealWorld):
    world.part_size = 5 * scripts.MEBIBYTE
    world.restart()
    world.fates = EachCallTwice(Fate.DIES_BEFORE, Fate.DIES_AFTER)
    job = prepared(world, "S3Archive")
    noise = os.urandom(12 * scripts.MEBIBYTE)
    (world.disk(job.instance) / "home/ada/noise").write_bytes(noise)
    kept = world.back_up(job)
    assert kept.size > 2 * world.part_size
    other = world.launch(zone=1)
    world.restore(world.restore_job(other, job, kept))
    assert (world.disk(other) / "home/ada/noise").read_bytes() == noise
    assert world.run(world.vault.find_by_id(backup=job.backup, id=kept.id)) == kept
    assert_tidy(world, job)


def test_only_the_parts_that_are_missing_are_sent_again(world: RealWorld):
    world.part_size = 5 * scripts.MEBIBYTE
    world.restart()
    job = prepared(world, "S3Archive")
    (world.disk(job.instance) / "home/ada/noise").write_bytes(os.urandom(12 * scripts.MEBIBYTE))
    began = world.cloud.sim("calls")["next"]
    world.cloud.fault("UploadPart", "drop-after", count=1)
    assert "S3 was not reached" in world.backed_up(job, Stage.FAILED).message
    world.back_up(job)
    sent = [call for call in world.cloud.sim(f"calls?since={began}")["calls"] if call["action"] == "UploadPart"]
    assert sorted(call["params"]["PartNumber"] for call in sent) == [1, 2, 3]


def test_archive_that_is_too_large_says_what_to_do(world: RealWorld, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hotdesk.adapters.aws.vault.packing.MOST_PARTS", 2)
    world.part_size = 5 * scripts.MEBIBYTE
    world.restart()
    job = prepared(world, "S3Archive")
    (world.disk(job.instance) / "home/ada/noise").write_bytes(os.urandom(12 * scripts.MEBIBYTE))
    assert "spec.backup.paths" in world.backed_up(job, Stage.FAILED).message
    assert world.objects() == []


def test_offline_agent_is_waited_for_and_said_so(world: RealWorld):
    job = prepared(world, "S3Archive")
    world.mood(job.instance, "offline")
    for _ in range(3):
        assert "agent" in world.backed_up(job, Stage.HINDERED).message
    assert world.sent("ssm:SendCommand") == 0
    world.mood(job.instance, "online")
    world.back_up(job)


def test_a_running_machine_is_saved_by_a_snapshot_after_its_disk_was_flushed(world: RealWorld):
    machine = world.launch()
    world.write(machine, "/home/ada/notes", "as it was")
    job = world.backup_job(machine, world.backup("EBSSnapshot"), is_running=True)
    world.mood(machine, "offline")
    assert machine in world.backed_up(job, Stage.HINDERED).message
    assert world.sent("ec2:CreateSnapshot") == 0
    world.mood(machine, "online")
    kept = world.back_up(job)
    actions = [action for action, _ in world.calls]
    assert actions.index("ssm:SendCommand") < actions.index("ec2:CreateSnapshot")
    world.kill(machine)
    other = world.launch(zone=1)
    world.restore(world.restore_job(other, job, kept))
    assert world.files(other) == {"/home/ada/notes": "as it was"}


def test_agent_that_goes_offline_meanwhile_is_waited_for_and_said_so(world: RealWorld):
    job = prepared(world, "S3Archive")
    world.cloud.configure(command=NEVER)
    world.backed_up(job, Stage.RUNNING)
    world.mood(job.instance, "offline")
    assert "agent" in world.backed_up(job, Stage.HINDERED).message
    world.mood(job.instance, "online")
    world.cloud.configure(command=0)
    world.back_up(job)
    assert world.sent("ssm:SendCommand") == 2  # to pack, and to upload


def test_hanging_machine_is_waited_for_until_its_time_is_over(world: RealWorld):
    job = prepared(world, "S3Archive")
    world.mood(job.instance, "hanging")
    for _ in range(4):
        world.backed_up(job, Stage.RUNNING)
        world.restart()
    assert world.sent("ssm:SendCommand") == 1
    world.mood(job.instance, "online")
    ssm = world.cloud.client("ssm")
    (command,) = (one for one in ssm.list_commands()["Commands"] if one["InstanceIds"] == [job.instance])
    ssm.cancel_command(CommandId=command["CommandId"])
    ssm.close()
    assert "Cancelled" in world.backed_up(job, Stage.FAILED).message
    world.back_up(job)


def test_failing_machine_is_asked_again_and_again(world: RealWorld):
    job = prepared(world, "S3Archive")
    world.mood(job.instance, "failing")
    assert "try 1 failed" in world.backed_up(job, Stage.FAILED).message
    assert "try 2 failed" in world.backed_up(job, Stage.FAILED).message
    world.mood(job.instance, "online")
    world.back_up(job)


def test_machine_that_cannot_make_the_archive_says_why(world: RealWorld):
    job = prepared(world, "S3Archive")
    in_the_way = world.disk(job.instance) / "var"
    in_the_way.write_text("a file")
    assert "Not a directory" in world.backed_up(job, Stage.FAILED).message
    in_the_way.unlink()
    world.back_up(job)


def test_s3_that_refuses_the_machine_is_said_in_its_words(world: RealWorld):
    job = prepared(world, "S3Archive")
    world.cloud.fault("PutObject", "error", code="AccessDenied", count=1)
    failed = world.backed_up(job, Stage.FAILED)
    assert "S3 answered 403" in failed.message
    assert world.found(job) == []
    world.back_up(job)


def test_s3_that_refuses_the_operator_proves_nothing(world: RealWorld):
    job = prepared(world, "S3Archive")
    world.cloud.fault("GetObject", "error", code="AccessDenied")
    with pytest.raises(Denied, match="s3:GetObject"):
        world.run(world.vault.back_up(job))
    world.cloud.sim("faults", method="DELETE")
    world.back_up(job)


def test_missing_bucket_is_a_failure_that_names_it(world: RealWorld):
    job = prepared(world, "S3Archive")
    place = S3Place(bucket="nobodys-bucket", prefix="")
    job = replace(job, backup=Backup(method="S3Archive", s3=place))
    assert "NoSuchBucket" in world.backed_up(job, Stage.FAILED).message


def test_archive_without_its_manifest_is_no_backup(world: RealWorld):
    job = prepared(world, "S3Archive")
    kept = world.back_up(job)
    (manifest,) = [key for key in world.objects() if key.endswith(".json")]
    world.s3.delete_object(Bucket=world.bucket, Key=manifest)
    assert world.found(job) == []
    assert world.run(world.vault.find_by_id(backup=job.backup, id=kept.id)) is None
    assert "no backup" in world.restored(world.restore_job(world.launch(), job, kept), Stage.FAILED).message
    assert world.back_up(job).id == kept.id  # the machine still knows, and S3 still has the bytes


@pytest.mark.parametrize("damage", ["other", "gone"])
def test_archive_that_is_not_what_its_manifest_says_is_no_proof(world: RealWorld, damage: str):
    job = prepared(world, "S3Archive")
    kept = world.back_up(job)
    size = world.s3.head_object(Bucket=world.bucket, Key=kept.id)["ContentLength"]
    if damage == "other":
        world.s3.put_object(Bucket=world.bucket, Key=kept.id, Body=b"x" * size, ChecksumAlgorithm="SHA256")
    else:
        world.s3.delete_object(Bucket=world.bucket, Key=kept.id)
    assert world.run(world.vault.find_by_id(backup=job.backup, id=kept.id)) is None
    assert kept.id in world.backed_up(job, Stage.FAILED).message
    again = world.back_up(job)
    other = world.launch()
    world.restore(world.restore_job(other, job, again))
    assert world.files(other) == {"/home/ada/notes": "as it was"}


def test_archive_whose_checksum_s3_no_longer_shows_is_kept_and_proves_nothing(world: RealWorld):
    job = prepared(world, "S3Archive")
    kept = world.back_up(job)
    stored = world.s3.get_object(Bucket=world.bucket, Key=kept.id)["Body"].read()
    world.s3.put_object(Bucket=world.bucket, Key=kept.id, Body=stored)  # as a person's copy would
    for _ in range(2):
        assert "checksum" in world.backed_up(job, Stage.FAILED).message
    assert len(world.objects()) == 2


def test_archive_that_was_damaged_is_not_unpacked(world: RealWorld):
    job = prepared(world, "S3Archive")
    kept = world.back_up(job)
    stored = world.s3.get_object(Bucket=world.bucket, Key=kept.id)["Body"].read()
    world.s3.put_object(Bucket=world.bucket, Key=kept.id, Body=stored[:-1] + b"x")
    other = world.launch()
    restore = world.restore_job(other, job, kept)
    assert "SHA-256" in world.restored(restore, Stage.FAILED).message
    assert world.files(other) == {}
    world.s3.put_object(Bucket=world.bucket, Key=kept.id, Body=stored)
    world.restore(restore)
    assert world.files(other) == {"/home/ada/notes": "as it was"}


def test_machine_restarted_in_a_restore_is_asked_again(world: RealWorld, method: BackupMethod):
    job = prepared(world, method)
    kept = world.back_up(job)
    other = world.launch()
    world.mood(other, "hanging")
    restore = world.restore_job(other, job, kept)
    wait_for_command(world, restore)
    world.mood(other, "online")
    world.stop(other)
    assert other in world.restored(restore, Stage.RUNNING).message
    world.start(other)
    world.restore(restore)
    assert world.files(other) == {"/home/ada/notes": "as it was"}


def wait_for_command(world: RealWorld, restore: RestoreJob) -> None:
    ssm = world.cloud.client("ssm")

    def has_begun() -> bool:
        world.restored(restore, Stage.RUNNING)
        runs = ssm.list_command_invocations(InstanceId=restore.instance)["CommandInvocations"]
        return [run["Status"] for run in runs] == ["InProgress"]

    wait_for(has_begun, what="the machine has taken the command")
    ssm.close()


def test_two_snapshots_of_one_job_become_one(world: RealWorld):
    job = prepared(world, "EBSSnapshot")
    world.cloud.configure(consistency=1.5)

    def asked() -> bool:
        world.run(world.vault.back_up(job))
        return world.sent("ec2:CreateSnapshot") == 2  # the first was not to be seen yet

    wait_for(asked, what="a second snapshot is begun")
    kept = world.back_up(job)
    world.cloud.configure(consistency=0)
    world.back_up(job)
    assert world.found(job) == [kept]
    assert_tidy(world, job)


def test_snapshot_is_pending_until_it_is_complete(world: RealWorld):
    world.cloud.configure(snapshot=NEVER)
    job = prepared(world, "EBSSnapshot")
    world.backed_up(job, Stage.RUNNING)
    for _ in range(3):
        assert "snap-" in world.backed_up(job, Stage.RUNNING).message
    assert world.found(job) == []
    world.cloud.configure(snapshot=0)
    world.back_up(job)
    assert world.sent("ec2:CreateSnapshot") == 1


def test_volume_that_cannot_be_made_or_attached_is_said_and_tried_again(world: RealWorld):
    job = prepared(world, "EBSSnapshot")
    kept = world.back_up(job)
    restore = world.restore_job(world.launch(), job, kept)
    world.cloud.fault("CreateVolume", "error", code="VolumeLimitExceeded", count=1)
    assert "VolumeLimitExceeded" in world.restored(restore, Stage.FAILED).message
    world.cloud.fault("AttachVolume", "error", code="AttachmentLimitExceeded", count=1)
    assert "AttachmentLimitExceeded" in world.restored(restore, Stage.FAILED).message
    world.restore(restore)
    assert_tidy(world, job)


def test_links_modes_and_odd_names_come_back(world: RealWorld, method: BackupMethod):
    machine = world.launch()
    home = world.disk(machine) / "home/ada"
    home.mkdir(parents=True)
    (home / "new\nline -x 'ü").write_text("odd")
    (home / "run.sh").write_text("#!/bin/sh")
    (home / "run.sh").chmod(0o751)
    (home / "link").symlink_to("run.sh")
    (home / "empty").mkdir(mode=0o710)
    world.ready(machine, method)
    job = world.backup_job(machine, world.backup(method))
    kept = world.back_up(job)
    other = world.launch()
    world.restore(world.restore_job(other, job, kept))
    back = world.disk(other) / "home/ada"
    assert (back / "new\nline -x 'ü").read_text() == "odd"
    assert (back / "run.sh").stat().st_mode & 0o777 == 0o751
    assert (back / "link").readlink() == Path("run.sh")
    assert (back / "empty").stat().st_mode & 0o777 == 0o710


def test_machine_needs_no_rights_and_sees_no_keys(world: RealWorld):
    """The scripts carry URLs for one object each; nothing in them or in the environment is needed beside."""
    job = prepared(world, "S3Archive")
    world.back_up(job)
    ssm = world.cloud.client("ssm")
    for command in ssm.list_commands()["Commands"]:
        script = "\n".join(command["Parameters"]["commands"])
        assert "AWS_" not in script
        assert len(command["Comment"]) <= 100
        assert "{{" not in script
    ssm.close()


def test_pruning_clears_up_after_jobs_that_were_given_up(world: RealWorld):
    job = prepared(world, "S3Archive")
    who = job.workspace
    folder = f"desk/{who.namespace}/{who.uid}/"
    given_up, later = f"{folder}20000101T000000Z-aa.bb.tar.gz", f"{folder}29990101T000000Z-aa.bb.tar.gz"
    for key in (given_up, later):
        world.s3.put_object(Bucket=world.bucket, Key=key, Body=b"x")
    begun = world.s3.create_multipart_upload(Bucket=world.bucket, Key=given_up)["UploadId"]
    kept = world.back_up(job)
    world.run(world.vault.prune(pool=POOL, backup=job.backup, namespace=who.namespace, uid=who.uid, keep=[kept.id]))
    assert kept.id in world.objects()
    assert later in world.objects()
    assert given_up not in world.objects()
    assert begun not in str(world.s3.list_multipart_uploads(Bucket=world.bucket).get("Uploads"))
    assert world.found(job) == [kept]


def test_script_that_runs_again_overwrites_nothing(world: RealWorld, method: BackupMethod):
    """SSM may be sent a command twice, and forgets what it was sent after 30 days."""
    job = prepared(world, method)
    kept = world.back_up(job)
    other = world.launch()
    world.restore(world.restore_job(other, job, kept))
    world.write(other, "/home/ada/notes", "edited since")
    ssm = world.cloud.client("ssm")
    pages = ssm.get_paginator("list_commands").paginate()
    (command,) = (one for page in pages for one in page["Commands"] if one["InstanceIds"] == [other])
    again = ssm.send_command(
        InstanceIds=[other], DocumentName=command["DocumentName"], Parameters=command["Parameters"]
    )["Command"]["CommandId"]
    asked = {"CommandId": again, "InstanceId": other}
    wait_for(lambda: ssm.get_command_invocation(**asked)["Status"] == "Success", what="the script has run again")
    ssm.close()
    assert world.files(other) == {"/home/ada/notes": "edited since"}


def test_proof_goes_before_what_it_proves(world: RealWorld):
    job = prepared(world, "S3Archive")
    world.back_up(job)
    began, who = world.cloud.sim("calls")["next"], job.workspace
    world.run(world.vault.prune(pool=POOL, backup=job.backup, namespace=who.namespace, uid=who.uid, keep=[]))
    calls = world.cloud.sim(f"calls?since={began}")["calls"]
    deleted = [call["params"]["Key"] for call in calls if call["action"] == "DeleteObject"]
    assert [key.endswith(".json") for key in deleted] == [True, False]
    assert world.objects() == []
