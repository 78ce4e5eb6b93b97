"""SQS of the simulated AWS, and what EventBridge says there: changes, spot warnings; late, twice, out of order."""

import json
from itertools import count

import pytest
from botocore.exceptions import ClientError

from component.simulated_cloud import NEVER, Cloud
from waiting import wait_for

_names = count()


@pytest.fixture
def sqs(cloud: Cloud):
    client = cloud.client("sqs")
    yield client
    client.close()


def queue(sqs, **attributes: str) -> str:
    return sqs.create_queue(QueueName=f"queue-{next(_names)}", Attributes=attributes)["QueueUrl"]


def receive(sqs, url: str, **more) -> list[dict]:
    return sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"], **more).get("Messages", [])


def refused(call, **params) -> str:
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"]


def test_a_message_is_hidden_while_somebody_works_on_it_and_comes_again(sqs):
    url = queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="hello <&> ü")
    (first,) = receive(sqs, url, VisibilityTimeout=NEVER)
    assert (first["Body"], first["Attributes"]["ApproximateReceiveCount"]) == ("hello <&> ü", "1")
    assert receive(sqs, url) == []
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    (second,) = receive(sqs, url)
    assert (second["MessageId"], second["Attributes"]["ApproximateReceiveCount"]) == (first["MessageId"], "2")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])  # of the earlier receive: no effect
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessagesNotVisible"], counts["ApproximateNumberOfMessages"]) == ("1", "0")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert counts["Attributes"] == {"ApproximateNumberOfMessagesNotVisible": "0"}


def test_a_long_poll_answers_when_a_message_comes_or_its_time_is_over(sqs):
    url = queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1)
    assert receive(sqs, url) == []
    (found,) = receive(sqs, url, WaitTimeSeconds=20)
    assert found["Body"] == "later"
    assert receive(sqs, url, WaitTimeSeconds=1) == []


def test_what_is_received_too_often_ends_in_the_dead_letter_queue(sqs):
    dead = queue(sqs)
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = queue(sqs, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}))
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        assert receive(sqs, url, VisibilityTimeout=0)
    assert receive(sqs, url) == []
    (found,) = receive(sqs, dead)
    assert found["Body"] == "poison"


def test_batches_say_what_became_of_each(sqs):
    url = queue(sqs)
    sent = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(10)])
    assert len(sent["Successful"]) == 10
    found = receive(sqs, url, MaxNumberOfMessages=10)
    assert [m["Body"] for m in found] == [f"m{n}" for n in range(10)]
    entries = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in found[:9]]
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=[*entries, {"Id": "bad", "ReceiptHandle": "nonsense"}])
    assert (len(answer["Successful"]), [f["Code"] for f in answer["Failed"]]) == (9, ["ReceiptHandleIsInvalid"])


def test_refusals_have_sqs_codes(sqs):
    url = queue(sqs)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="nobody")
    name = url.rpartition("/")[2]
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert refused(sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11) == "InvalidParameterValue"
    entries = [{"Id": "1", "MessageBody": "a"}] * 2
    assert refused(sqs.send_message_batch, QueueUrl=url, Entries=entries).endswith("BatchEntryIdsNotDistinct")
    assert refused(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "7"}) == "QueueAlreadyExists"


def events(sqs, url: str) -> list[dict]:
    found = []
    while batch := receive(sqs, url, MaxNumberOfMessages=10):
        found += [json.loads(message["Body"]) for message in batch]
        sqs.delete_message_batch(
            QueueUrl=url, Entries=[{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in batch]
        )
    return found


def listening(cloud: Cloud, sqs, **settings) -> str:
    url = queue(sqs)
    cloud.configure(events={"queue": url.rpartition("/")[2], **settings})
    return url


def run(cloud: Cloud) -> str:
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1)
    machine = made["Instances"][0]["InstanceId"]
    cloud.until_state(machine, "running")
    return machine


def test_every_change_of_state_is_told(cloud: Cloud, sqs):
    url = listening(cloud, sqs)
    machine = run(cloud)
    cloud.ec2.terminate_instances(InstanceIds=[machine])
    cloud.until_state(machine, "terminated")
    told = events(sqs, url)
    assert [event["detail"]["state"] for event in told] == ["pending", "running", "shutting-down", "terminated"]
    assert {event["detail-type"] for event in told} == {"EC2 Instance State-change Notification"}
    assert {event["detail"]["instance-id"] for event in told} == {machine}
    assert all(event["resources"][0].endswith(f"instance/{machine}") for event in told)


def spot(cloud: Cloud) -> str:
    template = cloud.template(InstanceMarketOptions={"MarketType": "spot"})
    group = cloud.group(desired=1, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})
    (machine,) = cloud.members(group)
    cloud.detach(group, [machine], decrement=True)  # without a replacement, which would have its own events
    wait_for(lambda: machine not in cloud.members(group), what="it left the group")
    return machine


def test_a_spot_machine_is_warned_and_then_taken(cloud: Cloud, sqs):
    machine = spot(cloud)
    url = listening(cloud, sqs)
    cloud.configure(spotWarning=NEVER)
    cloud.sim(f"machines/{machine}/reclaim", method="POST")
    cloud.sim(f"machines/{machine}/reclaim", method="POST")  # asked twice is warned once
    rebalance, warning = events(sqs, url)
    assert rebalance["detail-type"] == "EC2 Instance Rebalance Recommendation"
    assert warning["detail-type"] == "EC2 Spot Instance Interruption Warning"
    assert warning["detail"] == {"instance-id": machine, "instance-action": "terminate"}
    assert cloud.state(machine) == "running"
    assert cloud.machine(machine)["reclaimedAt"] > cloud.machine(machine)["launched"] + NEVER - 60


def test_the_end_of_the_warning_is_the_end_of_the_machine(cloud: Cloud, sqs):
    machine = spot(cloud)
    url = listening(cloud, sqs)
    cloud.configure(spotWarning=0.2)
    cloud.sim(f"machines/{machine}/reclaim", method="POST")
    cloud.until_state(machine, "terminated")
    assert cloud.instance(machine)["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert cloud.instance(machine)["StateTransitionReason"].startswith("Service initiated (")
    assert [event["detail"].get("state") for event in events(sqs, url)] == [None, None, "shutting-down", "terminated"]


def test_maintenance_and_rebalance_are_only_told(cloud: Cloud, sqs):
    machine = run(cloud)
    url = listening(cloud, sqs)
    cloud.sim(f"machines/{machine}/rebalance", method="POST")
    cloud.sim(f"machines/{machine}/maintenance", method="POST")
    rebalance, health = events(sqs, url)
    assert rebalance["detail"] == {"instance-id": machine}
    assert (health["source"], health["detail-type"]) == ("aws.health", "AWS Health Event")
    assert health["detail"]["affectedEntities"] == [{"entityValue": machine}]
    assert cloud.state(machine) == "running"


def test_events_come_twice_late_or_not_at_all_when_told_to(cloud: Cloud, sqs):
    url = listening(cloud, sqs, duplicates=1.0)
    run(cloud)
    told = events(sqs, url)
    assert [event["detail"]["state"] for event in told] == ["pending", "pending", "running", "running"]
    assert len({event["id"] for event in told}) == 2
    url = listening(cloud, sqs, duplicates=0.0, losses=1.0)
    run(cloud)
    assert events(sqs, url) == []
    url = listening(cloud, sqs, losses=0.0, delay=NEVER)
    run(cloud)
    assert events(sqs, url) == []
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])
    assert counts["Attributes"] == {"ApproximateNumberOfMessagesDelayed": "2"}


def test_events_overtake_each_other(cloud: Cloud, sqs):
    url = listening(cloud, sqs, delay=0.0, jitter=2.0)
    machines = [run(cloud) for _ in range(4)]
    cloud.ec2.terminate_instances(InstanceIds=machines)
    for machine in machines:
        cloud.until_state(machine, "terminated")
    asked = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}
    wait_for(
        lambda: sqs.get_queue_attributes(**asked)["Attributes"]["ApproximateNumberOfMessages"] == "16",
        what="all have come",
    )
    told = [(event["detail"]["instance-id"], event["detail"]["state"]) for event in events(sqs, url)]
    courses = [[state for name, state in told if name == machine] for machine in machines]
    assert any(course != ["pending", "running", "shutting-down", "terminated"] for course in courses)
