"""Volumes and snapshots of the simulated AWS: real bytes, zones, states, and what outlives a machine."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from component.simulated_cloud import NEVER, Cloud
from waiting import wait_for

UNKNOWN = "0123456789abcdef0"


def run(cloud: Cloud, *, zone: int = 0, **more) -> str:
    made = cloud.ec2.run_instances(
        ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1, SubnetId=cloud.aws.ready.subnets[zone], **more
    )
    machine = made["Instances"][0]["InstanceId"]
    cloud.until_state(machine, "running")
    return machine


def zone_of(cloud: Cloud, machine: str) -> str:
    return cloud.instance(machine)["Placement"]["AvailabilityZone"]


def disk(cloud: Cloud, machine: str) -> Path:
    return Path(cloud.machine(machine)["disk"])


def root(cloud: Cloud, machine: str) -> str:
    (mapping,) = cloud.instance(machine)["BlockDeviceMappings"]
    assert mapping["DeviceName"] == cloud.instance(machine)["RootDeviceName"]
    return mapping["Ebs"]["VolumeId"]


def volume(cloud: Cloud, name: str) -> dict:
    (found,) = cloud.ec2.describe_volumes(VolumeIds=[name])["Volumes"]
    return found


def until_volume(cloud: Cloud, name: str, state: str) -> None:
    wait_for(lambda: volume(cloud, name)["State"] == state, what=f"{name} is {state}")


def snapshot_of(cloud: Cloud, name: str, *, ends: str = "completed", **more) -> str:
    made = cloud.ec2.create_snapshot(VolumeId=name, **more)
    assert made["State"] == "pending"
    snapshot = made["SnapshotId"]
    wait_for(lambda: snapshot_state(cloud, snapshot) == ends, what=f"{snapshot} is {ends}")
    return snapshot


def snapshot_state(cloud: Cloud, name: str) -> str:
    (found,) = cloud.ec2.describe_snapshots(SnapshotIds=[name])["Snapshots"]
    return found["State"]


def new_volume(cloud: Cloud, machine: str, **more) -> str:
    made = cloud.ec2.create_volume(AvailabilityZone=zone_of(cloud, machine), **{"Size": 1, **more})
    until_volume(cloud, made["VolumeId"], "available")
    return made["VolumeId"]


def attach(cloud: Cloud, name: str, machine: str, device: str = "/dev/sdf") -> None:
    cloud.ec2.attach_volume(VolumeId=name, InstanceId=machine, Device=device)
    wait_for(
        lambda: volume(cloud, name)["Attachments"][0]["State"] == "attached", what=f"{name} is attached to {machine}"
    )


def detach(cloud: Cloud, name: str) -> None:
    cloud.ec2.detach_volume(VolumeId=name)
    until_volume(cloud, name, "available")


def refused(call, **params) -> str:
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"]


def test_a_root_volume_lives_and_dies_with_its_machine(cloud: Cloud):
    machine = run(cloud)
    name = root(cloud, machine)
    shown = volume(cloud, name)
    assert (shown["State"], shown["AvailabilityZone"]) == ("in-use", zone_of(cloud, machine))
    assert shown["Attachments"][0]["InstanceId"] == machine
    assert shown["Attachments"][0]["DeleteOnTermination"] is True
    cloud.ec2.terminate_instances(InstanceIds=[machine])
    cloud.until_state(machine, "terminated")
    assert refused(cloud.ec2.describe_volumes, VolumeIds=[name]) == "InvalidVolume.NotFound"
    assert "BlockDeviceMappings" not in cloud.instance(machine) or not cloud.instance(machine)["BlockDeviceMappings"]


def test_a_snapshot_holds_the_files_of_the_moment_of_the_call(cloud: Cloud):
    machine = run(cloud)
    files = disk(cloud, machine)
    (files / "home/ada").mkdir(parents=True)
    (files / "home/ada/a.txt").write_bytes(b"before\x00\xff")
    (files / "home/ada/run.sh").write_text("#!/bin/sh\n")
    (files / "home/ada/run.sh").chmod(0o755)
    (files / "home/ada/link").symlink_to("a.txt")
    cloud.configure(snapshot=NEVER)
    snapshot = cloud.ec2.create_snapshot(VolumeId=root(cloud, machine))["SnapshotId"]
    (files / "home/ada/a.txt").write_bytes(b"after")
    assert snapshot_state(cloud, snapshot) == "pending"
    assert (
        refused(cloud.ec2.create_volume, AvailabilityZone=zone_of(cloud, machine), SnapshotId=snapshot)
        == "IncorrectState"
    )
    cloud.configure(snapshot=0)
    wait_for(lambda: snapshot_state(cloud, snapshot) == "completed", what="it is completed")
    cloud.ec2.terminate_instances(InstanceIds=[machine])
    cloud.until_state(machine, "terminated")
    other = run(cloud, zone=1)  # snapshots know no zone
    restored = new_volume(cloud, other, SnapshotId=snapshot, Size=8)
    attach(cloud, restored, other)
    seen = disk(cloud, other) / "mnt" / restored / "home/ada"
    assert (seen / "a.txt").read_bytes() == b"before\x00\xff"
    assert (seen / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (seen / "link").readlink() == Path("a.txt")


def test_a_snapshot_that_shall_fail_ends_in_error_and_restores_nothing(cloud: Cloud):
    machine = run(cloud)
    cloud.fault("CreateSnapshot", "fail-later", count=1)
    snapshot = snapshot_of(cloud, root(cloud, machine), ends="error")
    (shown,) = cloud.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert shown["StateMessage"]
    assert (
        refused(cloud.ec2.create_volume, AvailabilityZone=zone_of(cloud, machine), SnapshotId=snapshot)
        == "IncorrectState"
    )
    snapshot_of(cloud, root(cloud, machine))  # the count is used up


def test_an_unreadable_file_makes_the_snapshot_fail_rather_than_lie(cloud: Cloud, monkeypatch):
    machine = run(cloud)
    (disk(cloud, machine) / "secret").write_text("x")

    def unreadable(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hotdesk_local.machines.blocks.shutil.copy2", unreadable)
    snapshot_of(cloud, root(cloud, machine), ends="error")


def test_a_volume_attaches_only_in_its_own_zone(cloud: Cloud):
    here, there = run(cloud, zone=0), run(cloud, zone=1)
    name = new_volume(cloud, here)
    assert (
        refused(cloud.ec2.attach_volume, VolumeId=name, InstanceId=there, Device="/dev/sdf")
        == "InvalidVolume.ZoneMismatch"
    )
    attach(cloud, name, here)
    assert refused(cloud.ec2.create_volume, AvailabilityZone="eu-central-1z", Size=1) == "InvalidZone.NotFound"


def test_an_attached_volume_cannot_be_stolen_or_deleted(cloud: Cloud):
    machine, other = run(cloud), run(cloud)
    name, second = new_volume(cloud, machine), new_volume(cloud, machine)
    attach(cloud, name, machine)
    assert refused(cloud.ec2.attach_volume, VolumeId=name, InstanceId=other, Device="/dev/sdf") == "VolumeInUse"
    assert refused(cloud.ec2.delete_volume, VolumeId=name) == "VolumeInUse"
    assert (
        refused(cloud.ec2.attach_volume, VolumeId=second, InstanceId=machine, Device="/dev/sdf")
        == "InvalidParameterValue"
    )
    assert refused(cloud.ec2.detach_volume, VolumeId=second) == "IncorrectState"
    assert refused(cloud.ec2.detach_volume, VolumeId=root(cloud, other)) == "OperationNotPermitted"
    assert refused(cloud.ec2.attach_volume, VolumeId=f"vol-{UNKNOWN}", InstanceId=other, Device="/dev/sdg") == (
        "InvalidVolume.NotFound"
    )
    detach(cloud, name)
    cloud.ec2.delete_volume(VolumeId=name)
    assert refused(cloud.ec2.delete_volume, VolumeId=name) == "InvalidVolume.NotFound"


def test_files_move_with_a_volume_from_machine_to_machine(cloud: Cloud):
    first, second = run(cloud), run(cloud)
    name = new_volume(cloud, first)
    attach(cloud, name, first)
    (disk(cloud, first) / "mnt" / name / "notes.txt").write_text("mine")
    detach(cloud, name)
    assert not (disk(cloud, first) / "mnt" / name).exists()
    attach(cloud, name, second)
    assert (disk(cloud, second) / "mnt" / name / "notes.txt").read_text() == "mine"
    cloud.ec2.terminate_instances(InstanceIds=[second])  # attached after the launch: it survives
    cloud.until_state(second, "terminated")
    assert volume(cloud, name)["State"] == "available"
    attach(cloud, name, first)
    assert (disk(cloud, first) / "mnt" / name / "notes.txt").read_text() == "mine"


def test_a_snapshot_of_the_root_leaves_other_volumes_out(cloud: Cloud):
    machine = run(cloud)
    name = new_volume(cloud, machine)
    attach(cloud, name, machine)
    (disk(cloud, machine) / "own.txt").write_text("root")
    (disk(cloud, machine) / "mnt" / name / "other.txt").write_text("data")
    made = cloud.ec2.create_snapshots(
        InstanceSpecification={"InstanceId": machine},
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "op", "Value": "17"}]}],
    )["Snapshots"]
    by_volume = {one["VolumeId"]: one["SnapshotId"] for one in made}
    assert set(by_volume) == {volume_at(cloud, machine, "/dev/xvda"), name}
    state_dir = disk(cloud, machine).parents[1]
    of_root = state_dir / "snapshots" / by_volume[volume_at(cloud, machine, "/dev/xvda")]
    assert (of_root / "own.txt").read_text() == "root"
    assert not list(of_root.rglob("other.txt"))
    assert (state_dir / "snapshots" / by_volume[name] / "other.txt").read_text() == "data"


def volume_at(cloud: Cloud, machine: str, device: str) -> str:
    mappings = cloud.instance(machine)["BlockDeviceMappings"]
    return next(m["Ebs"]["VolumeId"] for m in mappings if m["DeviceName"] == device)


def test_a_kept_root_survives_its_machine_and_becomes_the_root_of_another(cloud: Cloud):
    first, second = run(cloud), run(cloud)
    (disk(cloud, first) / "work.txt").write_text("kept")
    kept = root(cloud, first)
    cloud.ec2.modify_instance_attribute(
        InstanceId=first,
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}],
    )
    cloud.ec2.terminate_instances(InstanceIds=[first])
    cloud.until_state(first, "terminated")
    assert volume(cloud, kept)["State"] == "available"
    data = new_volume(cloud, second)
    attach(cloud, data, second)
    (disk(cloud, second) / "mnt" / data / "d.txt").write_text("data")
    cloud.ec2.stop_instances(InstanceIds=[second])
    cloud.until_state(second, "stopped")
    detach(cloud, volume_at(cloud, second, "/dev/xvda"))
    assert refused(cloud.ec2.start_instances, InstanceIds=[second]) == "InvalidParameterValue"
    attach(cloud, kept, second, "/dev/xvda")
    cloud.ec2.start_instances(InstanceIds=[second])
    cloud.until_state(second, "running")
    assert (disk(cloud, second) / "work.txt").read_text() == "kept"
    assert (disk(cloud, second) / "mnt" / data / "d.txt").read_text() == "data"


def test_a_template_says_size_tags_and_fate_of_the_disks(cloud: Cloud):
    template = cloud.template(
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 40}},
            {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 5, "DeleteOnTermination": False}},
        ],
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "pool", "Value": "dev"}]}],
    )
    group = cloud.group(desired=1, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})
    (machine,) = cloud.members(group)
    found = cloud.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [machine]}])["Volumes"]
    assert {(v["Size"], v["Attachments"][0]["DeleteOnTermination"]) for v in found} == {(40, True), (5, False)}
    assert all(v["Tags"] == [{"Key": "pool", "Value": "dev"}] for v in found)


def test_snapshots_and_volumes_are_found_by_tag_state_and_page(cloud: Cloud):
    machine = run(cloud)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "op", "Value": "a"}]}]
    ids = [snapshot_of(cloud, root(cloud, machine), TagSpecifications=tags) for _ in range(6)]
    pages = list(
        cloud.ec2.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"],
            Filters=[{"Name": "tag:op", "Values": ["a"]}, {"Name": "status", "Values": ["completed"]}],
            PaginationConfig={"PageSize": 5},
        )
    )
    assert [len(page["Snapshots"]) for page in pages] == [5, 1]
    assert [s["SnapshotId"] for page in pages for s in page["Snapshots"]] == ids
    cloud.ec2.create_tags(Resources=[ids[0], machine, root(cloud, machine)], Tags=[{"Key": "op", "Value": "b"}])
    (changed,) = cloud.ec2.describe_snapshots(Filters=[{"Name": "tag:op", "Values": ["b"]}])["Snapshots"]
    assert changed["SnapshotId"] == ids[0]
    (tagged,) = cloud.ec2.describe_volumes(Filters=[{"Name": "tag:op", "Values": ["b"]}])["Volumes"]
    assert tagged["VolumeId"] == root(cloud, machine)
    assert cloud.tags(machine) == {"op": "b"}
    cloud.ec2.delete_snapshot(SnapshotId=ids[0])
    assert refused(cloud.ec2.describe_snapshots, SnapshotIds=[ids[0]]) == "InvalidSnapshot.NotFound"
    assert refused(cloud.ec2.delete_snapshot, SnapshotId=ids[0]) == "InvalidSnapshot.NotFound"


def test_only_five_snapshots_of_a_volume_are_under_way(cloud: Cloud):
    machine = run(cloud)
    cloud.configure(snapshot=NEVER)
    for _ in range(5):
        cloud.ec2.create_snapshot(VolumeId=root(cloud, machine))
    assert refused(cloud.ec2.create_snapshot, VolumeId=root(cloud, machine)) == "ConcurrentSnapshotLimitExceeded"


def test_a_new_snapshot_is_unknown_for_a_moment(cloud: Cloud):
    name = root(cloud, run(cloud))
    cloud.configure(consistency=1.0)
    by_id = [{"Name": "volume-id", "Values": [name]}]
    wait_for(lambda: cloud.ec2.describe_volumes(Filters=by_id)["Volumes"], what="the volume is known")
    snapshot = cloud.ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    assert refused(cloud.ec2.describe_snapshots, SnapshotIds=[snapshot]) == "InvalidSnapshot.NotFound"
    wait_for(
        lambda: cloud.ec2.describe_snapshots(Filters=[{"Name": "snapshot-id", "Values": [snapshot]}])["Snapshots"],
        what="the snapshot is shown",
    )


def test_a_volume_token_makes_one_volume(cloud: Cloud):
    zone = f"{cloud.aws.ready.region}a"
    first = cloud.ec2.create_volume(AvailabilityZone=zone, Size=1, ClientToken="once")["VolumeId"]
    assert cloud.ec2.create_volume(AvailabilityZone=zone, Size=1, ClientToken="once")["VolumeId"] == first
    assert (
        refused(cloud.ec2.create_volume, AvailabilityZone=zone, Size=2, ClientToken="once")
        == "IdempotentParameterMismatch"
    )


def test_a_volume_that_the_full_disk_did_not_take_is_made_when_it_is_asked_for_again(cloud: Cloud):
    machine = run(cloud)
    volumes = disk(cloud, machine).parents[1] / "volumes"
    away = volumes.rename(volumes.with_name("away"))
    volumes.write_text("in the way: nothing can be made there")
    asked = {"AvailabilityZone": zone_of(cloud, machine), "Size": 1, "ClientToken": "one"}
    assert refused(cloud.ec2.create_volume, **asked) == "InternalFailure"
    volumes.unlink()
    away.rename(volumes)
    name = cloud.ec2.create_volume(**asked)["VolumeId"]
    until_volume(cloud, name, "available")
    attach(cloud, name, machine)


def test_a_stop_and_a_start_say_when_and_why(cloud: Cloud):
    machine = run(cloud)
    before = cloud.instance(machine)
    assert before["StateTransitionReason"] == ""
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    stopped = cloud.instance(machine)
    assert stopped["StateTransitionReason"].startswith("User initiated (20")
    assert stopped["LaunchTime"] == before["LaunchTime"]
    wait_for(lambda: last_call(cloud, machine) > before["LaunchTime"].timestamp() + 1, what="a second has passed")
    cloud.ec2.start_instances(InstanceIds=[machine])
    cloud.until_state(machine, "running")
    started = cloud.instance(machine)
    assert (started["StateTransitionReason"], started["LaunchTime"] > before["LaunchTime"]) == ("", True)


def last_call(cloud: Cloud, machine: str) -> float:
    """Make a call, and return when."""
    cloud.state(machine)
    return float(cloud.sim("calls")["calls"][-1]["time"])


def test_one_machine_that_cannot_be_stopped_spares_all_of_the_call(cloud: Cloud):
    machine, ended = run(cloud), run(cloud)
    cloud.ec2.terminate_instances(InstanceIds=[ended])
    assert refused(cloud.ec2.stop_instances, InstanceIds=[machine, ended]) == "IncorrectInstanceState"
    assert cloud.state(machine) == "running"


def test_a_start_may_find_no_capacity_once(cloud: Cloud):
    machine = run(cloud)
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    cloud.fault("StartInstances", "error", code="InsufficientInstanceCapacity", count=1)
    assert refused(cloud.ec2.start_instances, InstanceIds=[machine]) == "InsufficientInstanceCapacity"
    assert cloud.state(machine) == "stopped"
    cloud.ec2.start_instances(InstanceIds=[machine])
    cloud.until_state(machine, "running")


def test_a_zone_without_room_starts_nobody_and_the_group_launches_elsewhere(cloud: Cloud):
    machine = run(cloud, zone=0)
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    full = zone_of(cloud, machine)
    cloud.configure(zoneCapacity={full: 0})
    assert refused(cloud.ec2.start_instances, InstanceIds=[machine]) == "InsufficientInstanceCapacity"
    group = cloud.group(desired=2)
    assert full not in {zone_of(cloud, member) for member in cloud.members(group)}
