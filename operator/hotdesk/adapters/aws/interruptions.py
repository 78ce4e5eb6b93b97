"""The Interruptions port on SQS: long polls of queues that EventBridge writes to, each on a thread of its own."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

from botocore import xform_name

from hotdesk.adapters.aws.calls import Answer, OnCall, Parameters
from hotdesk.adapters.aws.clients import Clients, Service, Target, Timeouts
from hotdesk.adapters.aws.errors import translate, unmade
from hotdesk.adapters.aws.own_thread import OwnThread
from hotdesk.core.announcements import Announcement, Irrelevant, Unreadable, read
from hotdesk.ports import HotdeskError, Refused, Unanswered

log = logging.getLogger(__name__)

T = TypeVar("T")
AT_ONCE: Final = 10  # messages, SQS's limit for one call
WAIT: Final = 20  # seconds, SQS's longest
HIDDEN: Final = 20
"""Seconds for which a received message is hidden from others; one that was not deleted then comes again."""
# A poll is silent for as long as it waits.
TIMEOUTS: Final = Timeouts(read=timedelta(seconds=WAIT + 10))


@dataclass(slots=True)
class _Poll:
    """One long poll; when its answer comes, nobody may wait for it any more."""

    is_abandoned: bool = False


class AwsInterruptions:
    """The queues of one region and role; belongs to one event loop.

    Messages that cannot be read are left in the queue: its redrive policy brings them to its dead-letter queue.
    """

    def __init__(
        self, target: Target, *, on_call: OnCall, gate: Callable[[], None], timeouts: Timeouts = TIMEOUTS
    ) -> None:
        """`gate` is called on the thread before each call, and raises what keeps it from being sent."""
        self._clients = Clients(target=target, timeouts=timeouts, connections=AT_ONCE)
        self._on_call = on_call
        self._gate = gate
        self._threads: dict[str, OwnThread] = {}

    async def receive(self, *, queue_url: str) -> Sequence[Announcement]:
        """Wait up to 20 s for up to 10 messages; what comes after the caller was cancelled is given back at once."""
        poll = _Poll()
        try:
            answer = await self._run(queue_url, "ReceiveMessage", partial(self._receive, queue_url, poll))
        except asyncio.CancelledError:
            poll.is_abandoned = True
            raise
        announcements: list[Announcement] = []
        useless: list[str] = []
        for receipt, body in _messages(answer):
            match read(body, receipt=receipt):
                case Unreadable(why=why):
                    log.warning("a message is left for the dead-letter queue: %s", why, extra={"queue": queue_url})
                case Irrelevant():
                    useless.append(receipt)
                case told:
                    announcements += told
        await self.delete(queue_url=queue_url, receipts=useless)
        return announcements

    async def delete(self, *, queue_url: str, receipts: Collection[str]) -> None:
        """Delete messages, ten a call; a receipt that SQS no longer accepts belongs to a message that comes again."""
        rest = iter(dict.fromkeys(receipts))
        while batch := list(islice(rest, AT_ONCE)):
            entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(batch)]
            asked: Parameters = {"QueueUrl": queue_url, "Entries": entries}
            await self._run(queue_url, "DeleteMessageBatch", partial(self._send, "sqs", "DeleteMessageBatch", asked))

    def close(self) -> None:
        """Receive no more; polls under way end with the process."""
        for thread in self._threads.values():
            thread.close()
        self._threads.clear()

    async def _run(self, queue_url: str, operation: str, call: Callable[[], T]) -> T:
        if queue_url not in self._threads:
            self._threads[queue_url] = OwnThread(f"hotdesk-queue-{len(self._threads)}")
        began = time.monotonic()
        outcome = "cancelled"
        try:
            result = await self._threads[queue_url].run(call)
        except HotdeskError as error:
            outcome = type(error).__name__.lower()
            if isinstance(error, Refused):
                raise Unanswered(str(error)) from error  # a question that was refused has no answer either
            raise
        else:
            outcome = "ok"
            return result
        finally:
            self._on_call(f"sqs:{operation}", outcome, time.monotonic() - began)

    def _receive(self, queue_url: str, poll: _Poll) -> Answer:
        asked = {"QueueUrl": queue_url, "MaxNumberOfMessages": AT_ONCE, "WaitTimeSeconds": WAIT}
        answer = self._send("sqs", "ReceiveMessage", {**asked, "VisibilityTimeout": HIDDEN})
        if poll.is_abandoned:
            given = [{"ReceiptHandle": receipt, "VisibilityTimeout": 0} for receipt, _ in _messages(answer)]
            entries = [{"Id": str(number), **entry} for number, entry in enumerate(given)]
            if entries:
                self._send("sqs", "ChangeMessageVisibilityBatch", {"QueueUrl": queue_url, "Entries": entries})
        return answer

    def _send(self, service: Service, operation: str, parameters: Parameters) -> Answer:
        try:
            client = self._clients.client(service, retries=False)
        except Exception as error:
            raise unmade(error, service=service) from error
        self._gate()
        try:
            answer: Answer = getattr(client, xform_name(operation))(**parameters)
        except Exception as error:
            raise translate(error, service=service, operation=operation) from error
        return answer


def _messages(answer: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield receipt and body of each message; one without a receipt cannot be deleted, so it is as if never seen."""
    for message in answer.get("Messages") or ():
        receipt = message.get("ReceiptHandle") if isinstance(message, dict) else None
        if isinstance(receipt, str) and receipt:
            yield receipt, message.get("Body")
