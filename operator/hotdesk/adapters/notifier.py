"""The Notifier: every notice becomes an Event, and some go to a pool's topic and webhook too."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from hotdesk.adapters.aws.topics import AwsTopics
from hotdesk.adapters.delivery import Delivery, Patience
from hotdesk.adapters.kube.events import KubeEvents, OnNotice
from hotdesk.adapters.webhook import Webhooks, destination
from hotdesk.api.v1alpha1 import MachinePool
from hotdesk.core.notices import Notice
from hotdesk.ports import Clock

log = logging.getLogger(__name__)

_REMEMBERED: Final = 3600.0  # seconds
_MOST_REMEMBERED: Final = 10_000

Channel = Literal["sns", "webhook"]


@dataclass(frozen=True, slots=True)
class _Address:
    """One destination: what goes there keeps its order."""

    channel: Channel
    shown: str
    where: tuple[str | None, ...]


class ChannelNotifier:
    """`ports.Notifier` on Events, SNS and webhooks. Belongs to one event loop.

    Nothing is kept on disk: what was not told when the process ends is lost. Nothing is told twice either: a notice's
    id says what it is about, and the last 10,000 of an hour are remembered.
    """

    def __init__(
        self,
        *,
        events: KubeEvents,
        topics: AwsTopics,
        webhooks: Webhooks,
        clock: Clock,
        on_notice: OnNotice,
        patience: Patience | None = None,
    ) -> None:
        self._events = events
        self._topics = topics
        self._webhooks = webhooks
        self._clock = clock
        self._on_notice = on_notice
        self._patience = patience or Patience()
        self._sent: dict[str, float] = {}  # ids, the oldest first
        self._deliveries: dict[_Address, Delivery] = {}

    def tell(self, notice: Notice) -> None:
        """Take a notice; it is delivered when there is time."""
        try:
            self._events.tell(notice)
            if notice.send_to is not None and notice.pool is not None and self._is_new(notice.id):
                self._send(notice, notice.pool)
        except Exception:
            log.exception("a notice was lost", extra={"reason": notice.reason, "object": notice.name})

    async def run(self) -> None:
        """Deliver, for ever."""
        try:
            await self._events.run()
        finally:
            for delivery in self._deliveries.values():
                delivery.cancel()

    def _send(self, notice: Notice, pool: MachinePool) -> None:
        wanted = notice.send_to
        if wanted is None:
            return
        if (topic := wanted.sns) is not None:
            aws = pool.spec.aws
            address = _Address("sns", topic.topic_arn, (topic.topic_arn, aws.endpoint_url, aws.role_arn))
            self._deliver(address, notice, partial(self._topics.publish, notice, topic, aws=aws))
        if (webhook := wanted.webhook) is not None:
            secret = webhook.secret_ref
            address = _Address("webhook", destination(webhook), (webhook.url, secret.name, secret.key))
            self._deliver(address, notice, partial(self._webhooks.post, notice, webhook))

    def _deliver(self, address: _Address, notice: Notice, send: Callable[[], Awaitable[None]]) -> None:
        delivery = self._deliveries.get(address)
        if delivery is None:
            ended = partial(self._deliveries.pop, address, None)
            outcome = partial(self._outcome, address)
            delivery = Delivery(clock=self._clock, patience=self._patience, on_outcome=outcome, on_end=ended)
            self._deliveries[address] = delivery
        delivery.take(notice, send)

    def _outcome(self, address: _Address, notice: Notice, outcome: str, error: str) -> None:
        self._on_notice(channel=address.channel, outcome=outcome)
        if outcome != "failed":
            return
        log.warning("a notice was not delivered: %s", error, extra={"reason": notice.reason, "object": notice.name})
        if notice.pool is not None:
            self._events.tell(_complaint(notice, notice.pool, address, error))

    def _is_new(self, id: str) -> bool:  # noqa: A002  # the notice's word
        now = self._clock.monotonic()
        while self._sent:
            oldest = next(iter(self._sent))
            if len(self._sent) < _MOST_REMEMBERED and now - self._sent[oldest] < _REMEMBERED:
                break
            del self._sent[oldest]
        if id in self._sent:
            return False
        self._sent[id] = now
        return True


def _complaint(notice: Notice, pool: MachinePool, address: _Address, error: str) -> Notice:
    return Notice(
        kind="MachinePool",
        name=pool.metadata.name,
        uid=pool.metadata.uid,
        reason="NotificationFailed",
        message=f"{notice.reason} of {notice.namespace}/{notice.name} was not told to {address.shown}: {error}. "
        "Check spec.notifications; what comes next is tried anew.",
        at=notice.at,
        is_warning=True,
        key=f"{address.channel} {address.shown}",
    )
