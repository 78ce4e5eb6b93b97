"""A spot machine that AWS takes, on the real stack: EventBridge says so in a queue, and the files move on in time."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from e2e.scene import unique
from e2e.test_e2e_lifecycle import TEXT, pool_with, read_file, status, write_file
from waiting import wait_for

pytestmark = pytest.mark.stack

_CALM = {"idleTimeout": "Never"}


@pytest.fixture
def sqs(simulator) -> Iterator[Any]:
    with closing(simulator.client("sqs")) as client:
        yield client


def queue_of_events(scene: Any, sqs: Any) -> str:
    """Make a queue that EventBridge's rules send to, and return its URL."""
    name = unique("interruptions")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    scene.simulator.configure(events={"queue": name})
    return url


def group_of_spot_machines(scene: Any) -> str:
    """Make a group whose machines are spot."""
    aws, template, group = scene.simulator.aws, unique("spot"), unique("group")
    data = {"ImageId": aws.image, "InstanceType": "m7i.large", "InstanceMarketOptions": {"MarketType": "spot"}}
    aws.ec2.create_launch_template(LaunchTemplateName=template, LaunchTemplateData=data)
    scene.create_group(group, template=template)
    return group


def left_in(sqs: Any, queue: str) -> int:
    """Return how many messages a queue holds, hidden ones included."""
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return sum(int(number) for name, number in found.items() if name.startswith("ApproximateNumberOfMessages"))


def test_a_file_moves_on_before_a_spot_machine_is_taken(scene, sqs):
    queue = queue_of_events(scene, sqs)
    scene.simulator.aws.create_bucket("archives")
    backup = {"method": "S3Archive", "s3": {"bucket": "archives"}}
    group = group_of_spot_machines(scene)
    pool = pool_with(scene, group=group, lifecycle=_CALM, backup=backup, aws={"interruptionQueue": queue})
    write_file(pool)
    before = status(pool)["machine"]
    scene.simulator.reclaim(before)

    def has_moved() -> bool:
        told = status(pool)
        return told["phase"] == "Running" and told["machine"] != before

    wait_for(has_moved, what="demo is on another machine")
    assert read_file(pool) == TEXT
    pool.wait_terminated(before)
    ends = [change for change in pool.instance(before)["changes"] if change["new"] == "shutting-down"]
    assert [end["cause"] for end in ends] != ["reclaim"], "AWS took it before Hotdesk gave it back"
    wait_for(lambda: left_in(sqs, queue) == 0, what="every message is handled and deleted")
