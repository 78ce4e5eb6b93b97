"""What is published to SNS, as the simulated AWS recorded it, and what becomes of it when AWS will not have it."""

import asyncio
import json

import pytest

from component.simulated_cloud import Cloud, running_cloud
from factories import NOW, pool
from hotdesk.adapters.aws.topics import AwsTopics
from hotdesk.api.v1alpha1 import Aws
from hotdesk.api.v1alpha1.lifecycle import Notifications, SnsTopic
from hotdesk.core.notices import Notice
from hotdesk.ports import Denied, Refused, Throttled, Unanswered


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    _cloud.sim("faults", method="DELETE")
    return _cloud


@pytest.fixture
def topic(cloud: Cloud):
    client = cloud.client("sns")
    yield SnsTopic(topic_arn=client.create_topic(Name="hotdesk")["TopicArn"])
    client.close()


def notice(topic: SnsTopic) -> Notice:
    return Notice(
        kind="Workspace",
        namespace="team",
        name="demo",
        uid="uid-demo",
        reason="Stopped",
        message='The machine is stopped: "nobody was there" <ü>.',
        at=NOW,
        key="2026-03-02T12:10:00Z",
        send_to=Notifications(sns=topic),
        pool=pool(),
    )


def publish(cloud: Cloud, topic: SnsTopic) -> None:
    """Publish once, with the pool's endpoint and the topic's region."""

    async def scenario() -> None:
        topics = AwsTopics(on_call=lambda action, outcome, _: outcomes.append(f"{action} {outcome}"))
        try:
            aws = Aws(region="us-west-2", auto_scaling_group_name="g", endpoint_url=cloud.aws.endpoint)
            await topics.publish(notice(topic), topic, aws=aws)
            (target,) = topics._calls
            assert target.region == topic.topic_arn.split(":")[3] != aws.region
        finally:
            topics.close()

    outcomes: list[str] = []
    asyncio.run(scenario())
    assert outcomes == ["sns:Publish ok"]


def published(cloud: Cloud, since: int) -> list[dict]:
    return [call for call in cloud.sim(f"calls?since={since}")["calls"] if call["action"] == "Publish"]


def test_a_notice_is_published_whole_with_what_subscriptions_filter_by(cloud, topic):
    since = cloud.sim("calls?since=0")["next"]
    publish(cloud, topic)
    (call,) = published(cloud, since)
    assert call["status"] == 200
    params = call["params"]
    assert (params["TopicArn"], params["Subject"]) == (topic.topic_arn, "Hotdesk: Stopped team/demo")
    said = json.loads(params["Message"])
    expected = notice(topic)
    assert (said["id"], said["reason"], said["message"]) == (expected.id, "Stopped", expected.message)
    attributes = {name: entry["StringValue"] for name, entry in params["MessageAttributes"].items()}
    assert attributes == {"id": expected.id, "kind": "Workspace", "reason": "Stopped", "namespace": "team"}


def test_a_topic_that_is_not_there_is_named(cloud, topic):
    with pytest.raises(Refused, match="Topic does not exist"):
        publish(cloud, SnsTopic(topic_arn=f"{topic.topic_arn}-of-nobody"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "throttle"}, Throttled),
        ({"kind": "error", "code": "AuthorizationError"}, Denied),
        ({"kind": "drop-before"}, Unanswered),
    ],
)
def test_what_aws_says_tells_whether_it_is_tried_again_and_it_is_sent_once(cloud, topic, fault, error):
    since = cloud.sim("calls?since=0")["next"]
    cloud.fault("Publish", count=5, **fault)
    with pytest.raises(error):
        publish(cloud, topic)
    assert len(published(cloud, since)) <= 1
