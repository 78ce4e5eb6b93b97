"""Queues: messages that are hidden while somebody works on them, come again, and end in a dead-letter queue."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from hotdesk_local.aws.errors import AwsError

DEFAULTS = {
    "VisibilityTimeout": "30",
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
}
"""Attributes a queue has unless asked otherwise (API reference, CreateQueue)."""


@dataclass(slots=True, eq=False)
class Message:
    """One message. It can be received from `visible` on; `receipt` is the handle of the latest receive."""

    id: str
    body: str
    sent: float
    visible: float
    attributes: dict[str, object] = field(default_factory=dict)
    received: int = 0
    first_received: float | None = None
    receipt: str = ""

    @property
    def md5(self) -> str:
        """Return the body's digest, which SDKs compare."""
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True, eq=False)
class Queue:
    """A standard queue."""

    name: str
    arn: str
    created: float
    attributes: dict[str, str]
    messages: dict[str, Message] = field(default_factory=dict)
    """By id, in the order in which they were sent."""

    def seconds(self, attribute: str) -> float:
        """Return one of the queue's times."""
        return float(self.attributes.get(attribute, DEFAULTS[attribute]))

    def put(self, body: str, *, now: float, delay: float | None = None, **more: object) -> Message:
        """Take a message."""
        after = self.seconds("DelaySeconds") if delay is None else delay
        attributes = more.get("attributes")
        message = Message(
            id=secrets.token_hex(16),
            body=body,
            sent=now,
            visible=now + after,
            attributes=attributes if isinstance(attributes, dict) else {},
        )
        self.messages[message.id] = message
        return message

    def forget_old(self, *, now: float) -> None:
        """Lose what is older than the retention period."""
        oldest = now - self.seconds("MessageRetentionPeriod")
        for message in list(self.messages.values()):
            if message.sent > oldest:
                break  # in the order in which they were sent: the rest is younger
            del self.messages[message.id]

    def visible(self, *, now: float) -> Iterator[Message]:
        """Yield what can be received, in the order in which it became so."""
        found = [message for message in self.messages.values() if message.visible <= now]
        return iter(sorted(found, key=lambda message: message.visible))

    def hand_out(self, message: Message, *, now: float, hidden: float) -> None:
        """Give a message to somebody and hide it from the others."""
        message.received += 1
        message.first_received = now if message.first_received is None else message.first_received
        message.visible = now + hidden
        message.receipt = f"{message.id}.{message.received}.{secrets.token_hex(8)}"

    @property
    def redrive(self) -> tuple[str, int] | None:
        """Return the dead-letter queue's ARN and after how many receives a message goes there."""
        policy = self.attributes.get("RedrivePolicy")
        if not policy:
            return None
        found = orjson.loads(policy)
        return str(found["deadLetterTargetArn"]), int(found["maxReceiveCount"])


@dataclass(slots=True)
class Queues:
    """All of SQS."""

    by_name: dict[str, Queue] = field(default_factory=dict)

    def at(self, url: str) -> Queue:
        """Return the queue of a URL. Raises QueueDoesNotExist."""
        found = self.by_name.get(url.rstrip("/").rpartition("/")[2])
        if found is None:
            raise AwsError("QueueDoesNotExist", "The specified queue does not exist.")
        return found

    def of_arn(self, arn: str) -> Queue | None:
        """Return the queue of an ARN."""
        return self.by_name.get(arn.rpartition(":")[2])

    def receive(self, queue: Queue, *, most: int, hidden: float, now: float) -> list[Message]:
        """Hand out what is visible; what was received too often goes to the dead-letter queue instead."""
        queue.forget_old(now=now)
        found: list[Message] = []
        for message in list(queue.visible(now=now)):
            if len(found) == most:
                break
            if self._is_dead(queue, message):
                continue
            queue.hand_out(message, now=now, hidden=hidden)
            found.append(message)
        return found

    def _is_dead(self, queue: Queue, message: Message) -> bool:
        redrive = queue.redrive
        dead = self.of_arn(redrive[0]) if redrive else None
        if redrive is None or dead is None or message.received < redrive[1]:
            return False
        del queue.messages[message.id]
        dead.messages[message.id] = message
        return True


def message_of(queue: Queue, receipt: str) -> Message | None:
    """Return the message of a receipt, None if it is gone. Raises ReceiptHandleIsInvalid."""
    name, _, rest = receipt.partition(".")
    if not rest:
        raise AwsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", status=404)
    return queue.messages.get(name)
