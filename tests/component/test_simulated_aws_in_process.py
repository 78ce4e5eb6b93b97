"""The simulated AWS on a clock that the test moves: no server, no waiting, real bytes where a folder is given."""

import pytest

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.faults import Fault
from hotdesk_local.aws.in_process import InProcess, LostCall, in_process
from hotdesk_local.aws.ssm_model import Mood

START = 1_767_225_600.0


class Clock:
    def __init__(self) -> None:
        self.seconds = START

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def aws(clock: Clock, tmp_path) -> InProcess:
    return in_process(now=clock, root=tmp_path)


def run(aws: InProcess, clock: Clock) -> dict:
    made = aws.call("ec2", "RunInstances", ImageId=aws.world.image, MinCount=1, MaxCount=1)
    for _ in range(2):  # what is due happens at a turn: first running, then its agent
        clock.seconds += 10
        aws.turn()
    (reservation,) = aws.call("ec2", "DescribeInstances", InstanceIds=[made["Instances"][0]["InstanceId"]])[
        "Reservations"
    ]
    return reservation["Instances"][0]


def test_time_passes_only_on_the_clock(aws: InProcess, clock: Clock):
    machine = run(aws, clock)
    assert machine["State"]["Name"] == "running"
    volume = machine["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    (aws.world.storage.blocks.disk(machine["InstanceId"]) / "a").write_bytes(b"x")
    snapshot = aws.call("ec2", "CreateSnapshot", VolumeId=volume)["SnapshotId"]
    assert aws.world.storage.due() == clock.seconds + aws.world.config.snapshot
    clock.seconds = aws.world.storage.due()
    (shown,) = aws.call("ec2", "DescribeSnapshots", SnapshotIds=[snapshot])["Snapshots"]
    assert shown["State"] == "completed"
    assert (aws.world.storage.blocks.snapshot(snapshot) / "a").read_bytes() == b"x"


def test_a_command_runs_at_once_and_is_reported_in_its_time(aws: InProcess, clock: Clock):
    aws.world.configure(aws.world.config.changed({"run": 30}))
    machine = run(aws, clock)["InstanceId"]
    sent = aws.call(
        "ssm",
        "SendCommand",
        InstanceIds=[machine],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["echo done > proof"]},
    )["Command"]["CommandId"]
    assert (aws.world.storage.blocks.disk(machine) / "proof").read_text() == "done\n"
    ask = {"CommandId": sent, "InstanceId": machine}
    assert aws.call("ssm", "GetCommandInvocation", **ask)["Status"] == "InProgress"
    clock.seconds = aws.world.guests.due(now=clock.seconds)
    found = aws.call("ssm", "GetCommandInvocation", **ask)
    assert (found["Status"], found["ExecutionElapsedTime"]) == ("Success", "PT30.000S")


def test_an_offline_agent_is_given_up_at_the_delivery_timeout(aws: InProcess, clock: Clock):
    machine = run(aws, clock)["InstanceId"]
    aws.world.guests.moods[machine] = Mood.OFFLINE
    document = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}}
    sent = aws.call("ssm", "SendCommand", InstanceIds=[machine], TimeoutSeconds=600, **document)["Command"]
    ask = {"CommandId": sent["CommandId"], "InstanceId": machine}
    clock.seconds += 599
    assert aws.call("ssm", "GetCommandInvocation", **ask)["Status"] == "Pending"
    assert aws.world.guests.due(now=clock.seconds) == clock.seconds + 1
    clock.seconds += 1
    assert aws.call("ssm", "GetCommandInvocation", **ask)["StatusDetails"] == "DeliveryTimedOut"


def test_two_minutes_of_warning_take_no_time(aws: InProcess, clock: Clock):
    template = {"ImageId": aws.world.image, "InstanceMarketOptions": {"MarketType": "spot"}}
    aws.call("ec2", "CreateLaunchTemplate", LaunchTemplateName="t", LaunchTemplateData=template)
    made = aws.call("ec2", "RunInstances", MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "t"})
    machine = aws.world.fleet.instances[made["Instances"][0]["InstanceId"]]
    aws.call("sqs", "CreateQueue", QueueName="q")
    aws.world.configure(aws.world.config.changed({"events": {"queue": "q"}}))
    clock.seconds += 10
    aws.turn()
    aws.world.spot.reclaim(machine, now=clock.seconds)
    clock.seconds += 119
    aws.turn()
    assert machine.state == "running"
    clock.seconds += 1
    aws.turn()
    assert machine.state == "shutting-down"
    found = aws.call("sqs", "ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10, WaitTimeSeconds=20)["Messages"]
    assert ["Warning" in m["Body"] for m in found] == [False, False, True, False]
    assert aws.call("sqs", "ReceiveMessage", QueueUrl="q", WaitTimeSeconds=20) == {}


def test_objects_are_bytes_and_faults_are_faults(aws: InProcess):
    aws.call("s3", "CreateBucket", Bucket="b")
    aws.account.faults.add(Fault(action="s3:PutObject", kind="drop-after", count=1))
    with pytest.raises(LostCall):
        aws.call("s3", "PutObject", Bucket="b", Key="k", Body=b"x", IfNoneMatch="*")
    with pytest.raises(AwsError, match="PreconditionFailed"):
        aws.call("s3", "PutObject", Bucket="b", Key="k", Body=b"y", IfNoneMatch="*")
    assert aws.call("s3", "GetObject", Bucket="b", Key="k")["Body"].read() == b"x"
    assert [(c.action, c.status) for c in aws.world.calls.after(1)] == [
        ("PutObject", 0),
        ("PutObject", 412),
        ("GetObject", 200),
    ]


def test_a_world_without_a_folder_keeps_records_only(clock: Clock, tmp_path):
    aws = in_process(now=clock)
    machine = run(aws, clock)
    snapshot = aws.call("ec2", "CreateSnapshot", VolumeId=machine["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])
    document = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": [f"touch {tmp_path}/proof"]}}
    sent = aws.call("ssm", "SendCommand", InstanceIds=[machine["InstanceId"]], **document)["Command"]["CommandId"]
    clock.seconds += 10
    found = aws.call("ssm", "GetCommandInvocation", CommandId=sent, InstanceId=machine["InstanceId"])
    assert found["Status"] == "Success"
    assert not (tmp_path / "proof").exists()
    shown = aws.call("ec2", "DescribeSnapshots", SnapshotIds=[snapshot["SnapshotId"]])["Snapshots"][0]
    assert (shown["State"], aws.world.storage.blocks.root.exists()) == ("completed", False)
    aws.call("s3", "CreateBucket", Bucket="b")
    aws.call("s3", "PutObject", Bucket="b", Key="k", Body=b"x")
    assert aws.call("s3", "GetObject", Bucket="b", Key="k")["Body"].read() == b"x"
