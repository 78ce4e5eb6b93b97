"""Disks that nobody uses, as the real Fleet sees them on the simulated AWS."""

import asyncio
from collections.abc import Iterator

import pytest

from component.simulated_cloud import running_cloud
from hotdesk.adapters.aws.fleets import AwsFleets
from hotdesk.ports import Refused
from waiting import wait_for

TAGS = [{"Key": "hotdesk.dev/pool", "Value": "green"}]


@pytest.fixture
def cloud(tmp_path):
    with running_cloud(tmp_path) as cloud, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield cloud


def machine_of(cloud) -> tuple[str, str, Iterator[str]]:
    """Launch a machine; return its zone, its id, and the letters of its free devices."""
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1)
    found = made["Instances"][0]
    cloud.until_state(found["InstanceId"], "running")
    return found["Placement"]["AvailabilityZone"], found["InstanceId"], iter("fghi")


def test_unattached_volumes_and_failed_snapshots_of_the_pool_are_leftovers(cloud):
    def volume(tags) -> str:
        made = cloud.ec2.create_volume(
            AvailabilityZone=zone, Size=1, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}]
        )["VolumeId"]
        cloud.ec2.get_waiter("volume_available").wait(VolumeIds=[made], WaiterConfig={"Delay": 1})
        return made

    def snapshot(of: str, state: str) -> str:
        made = cloud.ec2.create_snapshot(VolumeId=of, TagSpecifications=[{"ResourceType": "snapshot", "Tags": TAGS}])[
            "SnapshotId"
        ]
        wait_for(lambda: states()[made] == state, what=f"{made} is {state}")
        return made

    def states() -> dict[str, str]:
        found = cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        return {one["SnapshotId"]: one["State"] for one in found}

    def attached(tags) -> str:
        made = volume(tags)
        cloud.ec2.attach_volume(VolumeId=made, InstanceId=machine, Device=f"/dev/sd{next(letters)}")
        wait_for(lambda: volume_state(made) == "in-use", what=f"{made} is attached")
        return made

    def volume_state(name: str) -> str:
        return str(cloud.ec2.describe_volumes(VolumeIds=[name])["Volumes"][0]["State"])

    zone, machine, letters = machine_of(cloud)
    halfway = attached(
        [*TAGS, {"Key": "hotdesk.dev/restore", "Value": "job"}, {"Key": "hotdesk.dev/workspace-uid", "Value": "u"}]
    )
    attached(TAGS)
    ours, theirs = volume(TAGS), volume([{"Key": "hotdesk.dev/pool", "Value": "red"}])
    snapshot(theirs, "completed")
    cloud.fault("CreateSnapshot", "fail-later", count=1)
    failed = snapshot(theirs, "error")
    fleets = AwsFleets()
    fleet = fleets.fleet(region=cloud.aws.ready.region, endpoint_url=cloud.aws.endpoint, role_arn=None)
    found = asyncio.run(fleet.describe_leftovers(pool="green"))
    fleets.close()
    assert {one.id: one.restores for one in found} == {ours: None, failed: None, halfway: "u"}
    assert not any(one.is_spare for one in found)
    assert all(one.created_at is not None for one in found)


def test_what_a_restore_and_a_backup_left_behind_is_spare_and_can_be_deleted(cloud):
    """Deleting is refused while it is used, and has nothing to do where it is gone."""

    async def lifetime() -> None:
        await fleet.delete_leftover(id=spare)
        await fleet.delete_leftover(id=spare)
        await fleet.delete_leftover(id=failed)
        with pytest.raises(Refused, match="VolumeInUse"):
            await fleet.delete_leftover(id=used)

    def made(kind: str, tag: str, **asked) -> str:
        tags = [*TAGS, {"Key": tag, "Value": "job"}]
        create = getattr(cloud.ec2, f"create_{kind}")
        return str(create(**asked, TagSpecifications=[{"ResourceType": kind, "Tags": tags}])[f"{kind.title()}Id"])

    def volume() -> str:
        name = made("volume", "hotdesk.dev/restore", AvailabilityZone=zone, Size=1)
        cloud.ec2.get_waiter("volume_available").wait(VolumeIds=[name], WaiterConfig={"Delay": 1})
        return name

    def left() -> dict[str, bool]:
        found = asyncio.run(fleet.describe_leftovers(pool="green"))
        return {one.id: one.is_spare for one in found}

    fleets = AwsFleets()
    fleet = fleets.fleet(region=cloud.aws.ready.region, endpoint_url=cloud.aws.endpoint, role_arn=None)
    zone, machine, letters = machine_of(cloud)
    spare, used = volume(), volume()
    cloud.ec2.attach_volume(VolumeId=used, InstanceId=machine, Device=f"/dev/sd{next(letters)}")
    cloud.fault("CreateSnapshot", "fail-later", count=1)
    failed = made("snapshot", "hotdesk.dev/backup", VolumeId=spare)
    wait_for(lambda: left() == {spare: True, used: False, failed: True}, what="all three are left")
    asyncio.run(lifetime())
    assert left() == {used: False}
    fleets.close()
