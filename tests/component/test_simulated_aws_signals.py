"""CloudWatch and SNS of the simulated AWS: CPU use in periods, some time late; what was published is on record."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from component.simulated_cloud import NEVER, Cloud
from waiting import wait_for


@pytest.fixture
def cloudwatch(cloud: Cloud):
    client = cloud.client("cloudwatch")
    yield client
    client.close()


@pytest.fixture
def sns(cloud: Cloud):
    client = cloud.client("sns")
    yield client
    client.close()


def run(cloud: Cloud) -> str:
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1)
    machine = made["Instances"][0]["InstanceId"]
    cloud.until_state(machine, "running")
    return machine


def cpu(cloudwatch, *machines: str, stat: str = "Maximum") -> dict[str, list[float]]:
    now = datetime.now(UTC)  # noqa: TID251  # the simulator's time is real
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/EC2",
                    "MetricName": "CPUUtilization",
                    "Dimensions": [{"Name": "InstanceId", "Value": machine}],
                },
                "Period": 1,
                "Stat": stat,
            },
        }
        for number, machine in enumerate(machines)
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=now - timedelta(minutes=5), EndTime=now, ScanBy="TimestampAscending"
    )
    return {machines[int(r["Id"][1:])]: r["Values"] for r in answer["MetricDataResults"]}


def test_cpu_is_what_was_said_while_the_machine_runs(cloud: Cloud, cloudwatch):
    cloud.configure(metricPeriod=1, metricDelay=0)
    busy, resting = run(cloud), run(cloud)
    cloud.sim(f"machines/{busy}/cpu", method="POST", body={"percent": 93.5})
    values = wait_for(lambda: 93.5 in cpu(cloudwatch, busy)[busy] and cpu(cloudwatch, busy, resting), what="it is busy")
    assert values[busy][-1] == 93.5
    assert set(values[resting]) == {1.0}
    cloud.ec2.stop_instances(InstanceIds=[busy])
    cloud.until_state(busy, "stopped")
    ended = len(wait_for(lambda: cpu(cloudwatch, busy)[busy], what="its last period is over"))
    wait_for(lambda: len(cpu(cloudwatch, resting)[resting]) > ended + 3, what="time passes")
    assert len(cpu(cloudwatch, busy)[busy]) <= ended + 1  # a stopped machine measures nothing


def test_cloudwatch_knows_a_period_only_after_its_end_and_a_delay(cloud: Cloud, cloudwatch):
    machine = run(cloud)
    cloud.configure(metricPeriod=1, metricDelay=0)
    wait_for(lambda: cpu(cloudwatch, machine)[machine], what="a period is over")
    cloud.configure(metricDelay=NEVER)
    assert cpu(cloudwatch, machine) == {machine: []}
    cloud.configure(metricPeriod=NEVER, metricDelay=0)
    assert cpu(cloudwatch, machine, "i-0123456789abcdef0") == {machine: [], "i-0123456789abcdef0": []}


def test_a_percentage_is_a_percentage(cloud: Cloud):
    machine = run(cloud)
    with pytest.raises(OSError, match="400"):
        cloud.sim(f"machines/{machine}/cpu", method="POST", body={"percent": 101})


def test_what_is_published_is_on_record(cloud: Cloud, sns):
    topic = sns.create_topic(Name="notices")["TopicArn"]
    attributes = {"kind": {"DataType": "String", "StringValue": "warning"}}
    sns.publish(TopicArn=topic, Subject="Stop soon", Message="Your desk\nstops <soon>", MessageAttributes=attributes)
    (call,) = [c for c in cloud.sim("calls")["calls"] if c["action"] == "Publish"]
    assert call["params"] == {
        "TopicArn": topic,
        "Subject": "Stop soon",
        "Message": "Your desk\nstops <soon>",
        "MessageAttributes": attributes,
    }
    assert [t["TopicArn"] for t in sns.list_topics()["Topics"]] == [topic]
    sns.delete_topic(TopicArn=topic)


@pytest.mark.parametrize(
    ("more", "expected"),
    [({"TopicArn": "arn:aws:sns:x:1:none"}, "NotFound"), ({"Subject": "x" * 101}, "InvalidParameter")],
)
def test_what_cannot_be_published_is_refused(sns, more, expected):
    topic = sns.create_topic(Name="notices")["TopicArn"]
    with pytest.raises(ClientError) as refused:
        sns.publish(**{"TopicArn": topic, "Message": "m", **more})
    assert refused.value.response["Error"]["Code"] == expected
