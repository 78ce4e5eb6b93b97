"""SNS: topics, and what was published to them; it reaches nobody, the record of calls holds it."""

import secrets
from collections.abc import Mapping
from uuid import UUID

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.world import ACCOUNT, Handler, World

LONGEST_SUBJECT, LONGEST_MESSAGE = 100, 262_144
"""Characters, bytes."""


def _create(world: World, params: Params, _call: Call) -> Params:
    arn = f"arn:aws:sns:{world.region}:{ACCOUNT}:{params['Name']}"
    world.topics.add(arn)
    return {"TopicArn": arn}


def _delete(world: World, params: Params, _call: Call) -> Params:
    world.topics.discard(params["TopicArn"])
    return {}


def _list(world: World, _params: Params, _call: Call) -> Params:
    return {"Topics": [{"TopicArn": arn} for arn in sorted(world.topics)]}


def _publish(world: World, params: Params, _call: Call) -> Params:
    arn, message = params.get("TopicArn") or params.get("TargetArn"), params["Message"]
    if arn not in world.topics:
        raise AwsError("NotFound", "Topic does not exist", status=404)
    if not message:
        raise AwsError("InvalidParameter", "Invalid parameter: Empty message")
    if len(message.encode()) > LONGEST_MESSAGE:
        raise AwsError("InvalidParameter", "Invalid parameter: Message too long")
    subject = params.get("Subject")
    if subject is not None and not (0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable()):
        raise AwsError("InvalidParameter", "Invalid parameter: Subject")
    return {"MessageId": str(UUID(bytes=secrets.token_bytes(16)))}


ACTIONS: Mapping[str, Handler] = {
    "CreateTopic": _create,
    "DeleteTopic": _delete,
    "ListTopics": _list,
    "Publish": _publish,
}
