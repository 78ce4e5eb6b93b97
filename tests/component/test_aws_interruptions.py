"""The queue of interruptions on the simulated AWS: what is received, what is deleted, and what stays."""

import asyncio
import json
import threading
from itertools import count

import pytest

from component.simulated_cloud import NEVER, Cloud, running_cloud
from hotdesk.adapters.aws import interruptions as module
from hotdesk.adapters.aws.clients import Target
from hotdesk.adapters.aws.interruptions import AwsInterruptions
from hotdesk.core.announcements import Announced
from hotdesk.ports import Denied, Fenced, Throttled, Unanswered

_names = count()


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield cloud


@pytest.fixture
def sqs(cloud: Cloud):
    client = cloud.client("sqs")
    yield client
    client.close()


class Source:
    """The adapter with a queue of its own, and what it tells of its calls."""

    def __init__(self, cloud: Cloud, sqs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "WAIT", 1)
        self.sqs = sqs
        self.dead = sqs.create_queue(QueueName=f"dead-{next(_names)}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
        self.name = f"told-{next(_names)}"
        self.url = sqs.create_queue(QueueName=self.name, Attributes={"RedrivePolicy": redrive})["QueueUrl"]
        cloud.configure(events={"queue": self.name})
        self.outcomes: list[tuple[str, str]] = []
        self.gate = lambda: None
        self.port = AwsInterruptions(
            Target(region=cloud.aws.ready.region, endpoint_url=cloud.aws.endpoint),
            on_call=lambda action, outcome, _: self.outcomes.append((action, outcome)),
            gate=self._check,
        )

    def _check(self) -> None:
        self.gate()

    def receive(self):
        return asyncio.run(self.port.receive(queue_url=self.url))

    def left(self) -> int:
        """How many messages the queue still holds, hidden ones included."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return sum(int(n) for name, n in found.items() if name.startswith("ApproximateNumberOfMessages"))

    def put(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body)


@pytest.fixture
def source(cloud: Cloud, sqs, monkeypatch: pytest.MonkeyPatch):
    made = Source(cloud, sqs, monkeypatch)
    yield made
    made.port.close()


def spot(cloud: Cloud) -> str:
    template = cloud.template(InstanceMarketOptions={"MarketType": "spot"})
    group = cloud.group(desired=1, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})
    (machine,) = cloud.members(group)
    return machine


def test_a_spot_warning_comes_again_until_it_is_deleted(cloud: Cloud, source: Source, monkeypatch):
    monkeypatch.setattr(module, "HIDDEN", 0)
    machine = spot(cloud)
    cloud.configure(spotWarning=NEVER)
    source.sqs.purge_queue(QueueUrl=source.url)
    cloud.sim(f"machines/{machine}/reclaim", method="POST")
    first = source.receive()
    assert {(one.what, one.instance) for one in first} == {
        (Announced.REBALANCE, machine),
        (Announced.SPOT_INTERRUPTION, machine),
    }
    again = source.receive()
    assert [one.what for one in again] == [one.what for one in first]
    asyncio.run(source.port.delete(queue_url=source.url, receipts=[one.receipt for one in again] * 2))
    assert source.left() == 0
    assert source.receive() == []
    assert source.outcomes.count(("sqs:ReceiveMessage", "ok")) == 3


def test_what_is_of_no_use_is_deleted_and_what_cannot_be_read_ends_in_the_dead_letter_queue(
    source: Source, monkeypatch
):
    monkeypatch.setattr(module, "HIDDEN", 0)
    useless = {"version": "0", "source": "aws.autoscaling", "detail-type": "EC2 Instance Launch Successful"}
    source.put(json.dumps({**useless, "detail": {}, "time": "2026-03-02T12:00:00Z"}))
    source.put("poison")
    assert source.receive() == []
    assert source.left() == 1
    assert source.receive() == []
    assert source.receive() == []
    assert source.left() == 0
    (found,) = source.sqs.receive_message(QueueUrl=source.dead)["Messages"]
    assert found["Body"] == "poison"


def test_more_than_ten_are_deleted_in_several_calls(source: Source):
    for _ in range(12):
        source.put("anything")
    receipts: list[str] = []
    while len(receipts) < 12:
        found = source.sqs.receive_message(QueueUrl=source.url, MaxNumberOfMessages=10, VisibilityTimeout=NEVER)
        receipts += [message["ReceiptHandle"] for message in found["Messages"]]
    asyncio.run(source.port.delete(queue_url=source.url, receipts=receipts))
    assert source.left() == 0
    assert source.outcomes == [("sqs:DeleteMessageBatch", "ok")] * 2


def test_what_comes_after_nobody_waits_any_more_is_given_back_at_once(source: Source, monkeypatch):
    monkeypatch.setattr(module, "WAIT", 20)
    monkeypatch.setattr(module, "HIDDEN", NEVER)
    sent, asked = source.port._send, threading.Event()

    def send(*call):
        asked.set()
        return sent(*call)

    monkeypatch.setattr(source.port, "_send", send)

    async def scenario():
        poll = asyncio.create_task(source.port.receive(queue_url=source.url))
        await asyncio.to_thread(asked.wait)
        poll.cancel()
        await asyncio.wait({poll})
        await asyncio.to_thread(source.put, json.dumps(WARNING))
        return await source.port.receive(queue_url=source.url)  # on the same thread, after the one that was cancelled

    (told,) = asyncio.run(scenario())
    assert told.instance == WARNING["detail"]["instance-id"]


WARNING = {
    "version": "0",
    "source": "aws.ec2",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "time": "2026-03-02T12:00:00Z",
    "detail": {"instance-id": "i-0123456789abcdef0"},
}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "throttle"}, Throttled),
        ({"kind": "error", "code": "AccessDenied"}, Denied),
        ({"kind": "error", "code": "QueueDoesNotExist"}, Unanswered),
        ({"kind": "drop-after"}, Unanswered),
    ],
)
def test_failures_say_what_to_do_and_are_not_tried_again(cloud: Cloud, source: Source, fault, error):
    cloud.fault("ReceiveMessage", count=1, **fault)
    with pytest.raises(error):
        source.receive()
    assert len(source.outcomes) == 1


def test_who_may_not_act_takes_no_message(source: Source):
    def shut() -> None:
        raise Fenced("not now")

    source.put(json.dumps(WARNING))
    source.gate = shut
    with pytest.raises(Fenced):
        source.receive()
    source.gate = lambda: None
    assert len(source.receive()) == 1
