"""SQS's calls about queues: create, find, attributes, purge, delete."""

from collections.abc import Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.pages import page
from hotdesk_local.aws.sqs import DEFAULTS, Queue
from hotdesk_local.aws.world import ACCOUNT, Handler, World

PAGE = 1000
SETTABLE = frozenset(
    {*DEFAULTS, "RedrivePolicy", "RedriveAllowPolicy", "Policy", "KmsMasterKeyId", "SqsManagedSseEnabled"}
)


def _create(world: World, params: Params, call: Call) -> Params:
    name, asked = params["QueueName"], _checked(params.get("Attributes", {}))
    existing = world.queues.by_name.get(name)
    if existing is not None:
        if any(existing.attributes.get(key, DEFAULTS.get(key)) != value for key, value in asked.items()):
            raise AwsError(
                "QueueNameExists", "A queue already exists with the same name and a different value for an attribute"
            )
        return {"QueueUrl": url(world, existing)}
    if name.endswith(".fifo"):
        raise AwsError("InvalidAttributeValue", "The simulated AWS has standard queues only.")
    queue = Queue(name=name, arn=f"arn:aws:sqs:{world.region}:{ACCOUNT}:{name}", created=call.time, attributes=asked)
    world.queues.by_name[name] = queue
    return {"QueueUrl": url(world, queue)}


def _checked(attributes: Mapping[str, str]) -> dict[str, str]:
    unknown = [name for name in attributes if name not in SETTABLE]
    if unknown:
        raise AwsError("InvalidAttributeName", f"Unknown Attribute {unknown[0]}.")
    return dict(attributes)


def url(world: World, queue: Queue) -> str:
    """Return a queue's URL."""
    return f"{world.endpoint}/{ACCOUNT}/{queue.name}"


def _find(world: World, params: Params, _call: Call) -> Params:
    return {"QueueUrl": url(world, world.queues.at(params["QueueName"]))}


def _list(world: World, params: Params, _call: Call) -> Params:
    prefix = params.get("QueueNamePrefix", "")
    found, token = page(
        (queue for name, queue in sorted(world.queues.by_name.items()) if name.startswith(prefix)),
        size=min(params.get("MaxResults") or PAGE, PAGE),
        token=params.get("NextToken"),
        place=lambda queue: queue.name,
    )
    return {"QueueUrls": [url(world, queue) for queue in found], "NextToken": token}


def _attributes(world: World, params: Params, call: Call) -> Params:
    queue, asked = world.queues.at(params["QueueUrl"]), set(params.get("AttributeNames", []))
    visible = sum(1 for _ in queue.visible(now=call.time))
    delayed = sum(1 for m in queue.messages.values() if m.visible > call.time and not m.received)
    shown = {
        **DEFAULTS,
        **queue.attributes,
        "QueueArn": queue.arn,
        "CreatedTimestamp": str(int(queue.created)),
        "LastModifiedTimestamp": str(int(queue.created)),
        "ApproximateNumberOfMessages": str(visible),
        "ApproximateNumberOfMessagesDelayed": str(delayed),
        "ApproximateNumberOfMessagesNotVisible": str(len(queue.messages) - visible - delayed),
    }
    return {"Attributes": {name: value for name, value in shown.items() if "All" in asked or name in asked}}


def _set(world: World, params: Params, _call: Call) -> Params:
    world.queues.at(params["QueueUrl"]).attributes.update(_checked(params["Attributes"]))
    return {}


def _purge(world: World, params: Params, _call: Call) -> Params:
    world.queues.at(params["QueueUrl"]).messages.clear()
    return {}


def _delete(world: World, params: Params, _call: Call) -> Params:
    del world.queues.by_name[world.queues.at(params["QueueUrl"]).name]
    return {}


ACTIONS: Mapping[str, Handler] = {
    "CreateQueue": _create,
    "GetQueueUrl": _find,
    "ListQueues": _list,
    "GetQueueAttributes": _attributes,
    "SetQueueAttributes": _set,
    "PurgeQueue": _purge,
    "DeleteQueue": _delete,
}
