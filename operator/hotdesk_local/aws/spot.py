"""Spot capacity that AWS takes back: a warning, two minutes, the end."""

from dataclasses import dataclass, field

from hotdesk_local.aws.events import Events
from hotdesk_local.aws.fleet import Fleet
from hotdesk_local.aws.model import LIVE, Instance

CAUSE = "reclaim"
REASON = "Server.SpotInstanceTermination"
FAILED_HOST = "Server.InternalError"


@dataclass(slots=True)
class Spot:
    """The instances AWS has asked back."""

    fleet: Fleet
    events: Events
    _ends: dict[str, float] = field(default_factory=dict)

    def reclaim(self, instance: Instance, *, now: float) -> None:
        """Warn and take a spot instance after the configured time; take another at once, as a failed host would."""
        if not instance.spec.spot:
            self.fleet.terminate(instance, cause=CAUSE, now=now, reason=FAILED_HOST)
        elif instance.state in LIVE and instance.id not in self._ends:
            self.events.recommend_rebalance(instance, now=now)
            self.events.warn_of_reclaim(instance, now=now)
            self._ends[instance.id] = now + self.fleet.config.spot_warning

    def ends_at(self, instance: Instance) -> float | None:
        """Return when AWS will take the instance, None if it will not."""
        return self._ends.get(instance.id)

    def due(self) -> float:
        """Return when the next instance is taken, infinity where none is."""
        return min(self._ends.values(), default=float("inf"))

    def advance(self, *, now: float) -> None:
        """Let time pass: what was warned is taken."""
        for instance_id, end in list(self._ends.items()):
            instance = self.fleet.instances.get(instance_id)
            if instance is None or instance.state not in LIVE:
                del self._ends[instance_id]
            elif now >= end:
                del self._ends[instance_id]
                self.fleet.terminate(instance, cause=CAUSE, now=now, reason=REASON)
