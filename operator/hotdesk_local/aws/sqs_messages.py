"""SQS's calls about messages: send, receive, delete, keep hidden longer; singly and by ten."""

from collections.abc import Callable, Mapping
from typing import Any

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.sqs import Message, Queue, message_of
from hotdesk_local.aws.world import ACCOUNT, Handler, NothingYet, World

MOST = 10
"""Messages of one call."""
LONGEST_WAIT, LONGEST_HIDDEN = 20, 43_200
"""Seconds."""

_One = Callable[[Queue, Params, Call], Params]


def _send_one(queue: Queue, params: Params, call: Call) -> Params:
    body = params["MessageBody"]
    if not body:
        raise AwsError("InvalidParameterValue", "Message must be at least one character.")
    if len(body.encode()) > queue.seconds("MaximumMessageSize"):
        raise AwsError("InvalidParameterValue", "One or more parameters are invalid. Message is too long.")
    message = queue.put(
        body, now=call.time, delay=params.get("DelaySeconds"), attributes=params.get("MessageAttributes", {})
    )
    return {"MessageId": message.id, "MD5OfMessageBody": message.md5}


def _delete_one(queue: Queue, params: Params, _call: Call) -> Params:
    message = message_of(queue, params["ReceiptHandle"])
    # A standard queue may ignore the handle of an earlier receive; somebody else is at work on the message.
    if message is not None and message.receipt == params["ReceiptHandle"]:
        del queue.messages[message.id]
    return {}


def _hide_one(queue: Queue, params: Params, call: Call) -> Params:
    message, seconds = message_of(queue, params["ReceiptHandle"]), params["VisibilityTimeout"]
    if not 0 <= seconds <= LONGEST_HIDDEN:
        raise AwsError("InvalidParameterValue", f"Value {seconds} for parameter VisibilityTimeout is invalid.")
    if message is None or message.visible <= call.time:
        raise AwsError("MessageNotInflight", "The message referred to isn't in flight.")
    message.visible = call.time + seconds
    return {}


def _single(one: _One) -> Handler:
    def handler(world: World, params: Params, call: Call) -> Params:
        return one(world.queues.at(params["QueueUrl"]), params, call)

    return handler


def _batch(one: _One) -> Handler:
    def handler(world: World, params: Params, call: Call) -> Params:
        queue, entries = world.queues.at(params["QueueUrl"]), params["Entries"]
        if not entries:
            raise AwsError("EmptyBatchRequest", "There should be at least one entry in the request.")
        if len(entries) > MOST:
            raise AwsError("TooManyEntriesInBatchRequest", f"Maximum number of entries per request are {MOST}.")
        if len({entry["Id"] for entry in entries}) < len(entries):
            raise AwsError("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
        return _each(one, queue, entries, call)

    return handler


def _each(one: _One, queue: Queue, entries: list[Params], call: Call) -> Params:
    good: list[Params] = []
    bad: list[Params] = []
    for entry in entries:
        try:
            good.append({"Id": entry["Id"], **one(queue, entry, call)})
        except AwsError as refusal:
            bad.append({"Id": entry["Id"], "SenderFault": True, "Code": refusal.code, "Message": refusal.message})
    return {"Successful": good, "Failed": bad}


def _receive(world: World, params: Params, call: Call) -> Params:
    queue = world.queues.at(params["QueueUrl"])
    most = params.get("MaxNumberOfMessages", 1)
    if not 1 <= most <= MOST:
        raise AwsError("InvalidParameterValue", f"Value {most} for parameter MaxNumberOfMessages is invalid.")
    wait = params.get("WaitTimeSeconds", queue.seconds("ReceiveMessageWaitTimeSeconds"))
    if not 0 <= wait <= LONGEST_WAIT:
        raise AwsError("InvalidParameterValue", f"Value {wait} for parameter WaitTimeSeconds is invalid.")
    hidden = params.get("VisibilityTimeout", queue.seconds("VisibilityTimeout"))
    found = world.queues.receive(queue, most=most, hidden=hidden, now=call.time)
    if not found and wait:
        raise NothingYet(call.time + wait)
    asked = {*params.get("AttributeNames", []), *params.get("MessageSystemAttributeNames", [])}
    return {"Messages": [_shown(message, asked) for message in found]} if found else {}


def _shown(message: Message, asked: set[str]) -> Params:
    system: dict[str, Any] = {
        "SenderId": ACCOUNT,
        "SentTimestamp": str(int(message.sent * 1000)),
        "ApproximateReceiveCount": str(message.received),
        "ApproximateFirstReceiveTimestamp": str(int((message.first_received or 0) * 1000)),
    }
    kept = {name: value for name, value in system.items() if "All" in asked or name in asked}
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": message.md5,
        "Body": message.body,
        "Attributes": kept or None,
        "MessageAttributes": message.attributes or None,
    }


ACTIONS: Mapping[str, Handler] = {
    "SendMessage": _single(_send_one),
    "SendMessageBatch": _batch(_send_one),
    "ReceiveMessage": _receive,
    "DeleteMessage": _single(_delete_one),
    "DeleteMessageBatch": _batch(_delete_one),
    "ChangeMessageVisibility": _single(_hide_one),
    "ChangeMessageVisibilityBatch": _batch(_hide_one),
}
