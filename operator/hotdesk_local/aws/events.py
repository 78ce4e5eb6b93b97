"""What EventBridge would say: EC2's events as JSON in a queue, late, twice, out of order or not at all."""

from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import orjson

from hotdesk_local.aws.clock import sentence
from hotdesk_local.aws.fleet import Fleet
from hotdesk_local.aws.model import Instance, Params, State
from hotdesk_local.aws.sqs import Queues

EC2, HEALTH = "aws.ec2", "aws.health"
STATE_CHANGE = "EC2 Instance State-change Notification"
SPOT_WARNING = "EC2 Spot Instance Interruption Warning"
REBALANCE = "EC2 Instance Rebalance Recommendation"
HEALTH_EVENT = "AWS Health Event"


@dataclass(slots=True)
class Events:
    """Says things to the queue that the configuration names; nothing is said without one."""

    fleet: Fleet
    queues: Queues
    account: str
    region: str
    random: Random = field(default_factory=Random)

    def instance_changed(self, instance: Instance, _before: State | None, now: float) -> None:
        """Tell the new state."""
        if self.fleet.config.events.queue is not None:
            detail = {"instance-id": instance.id, "state": instance.state.value}
            self.say(STATE_CHANGE, instance, detail, now=now)

    def warn_of_reclaim(self, instance: Instance, *, now: float) -> None:
        """Tell that AWS will take a spot instance back."""
        self.say(SPOT_WARNING, instance, {"instance-id": instance.id, "instance-action": "terminate"}, now=now)

    def recommend_rebalance(self, instance: Instance, *, now: float) -> None:
        """Tell that a spot instance is likely to be taken back."""
        self.say(REBALANCE, instance, {"instance-id": instance.id}, now=now)

    def announce_maintenance(self, instance: Instance, *, now: float) -> None:
        """Tell that the host of an instance will be retired."""
        detail: Params = {
            "service": "EC2",
            "eventTypeCode": "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
            "eventTypeCategory": "scheduledChange",
            "startTime": sentence(now),
            "affectedEntities": [{"entityValue": instance.id}],
        }
        self.say(HEALTH_EVENT, instance, detail, now=now, source=HEALTH)

    def say(self, kind: str, instance: Instance, detail: Params, *, now: float, source: str = EC2) -> None:
        """Put one event into the queue, as unreliably as configured."""
        settings = self.fleet.config.events
        queue = self.queues.by_name.get(settings.queue or "")
        if queue is None or self.random.random() < settings.losses:
            return
        body = orjson.dumps(self._event(kind, instance, detail, now=now, source=source)).decode()
        copies = 2 if self.random.random() < settings.duplicates else 1
        for _ in range(copies):
            queue.put(body, now=now, delay=settings.delay + self.random.uniform(0, settings.jitter))

    def _event(self, kind: str, instance: Instance, detail: Params, *, now: float, source: str) -> Params:
        return {
            "version": "0",
            "id": str(UUID(int=self.random.getrandbits(128), version=4)),
            "detail-type": kind,
            "source": source,
            "account": self.account,
            "time": sentence(now),
            "region": self.region,
            "resources": [f"arn:aws:ec2:{self.region}:{self.account}:instance/{instance.id}"],
            "detail": detail,
        }
