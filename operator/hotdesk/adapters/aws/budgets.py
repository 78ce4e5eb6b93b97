"""How often we may call each AWS API: token buckets at half of AWS's own limits, so that others in the account live."""

import asyncio
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket's size in calls and its refill in calls per second."""

    burst: float
    per_second: float


# EC2's limits are published per API, account and region (EC2 API request throttling): 100/20 for filtered or paginated
# describes, 100/10 for CreateTags, 100/5 for TerminateInstances, 5/2 for
# StartInstances, 50/5 for other changes. Half of each.
_EC2: Final = {
    "DescribeInstances": Limit(burst=50, per_second=10),
    "CreateTags": Limit(burst=50, per_second=5),
    "TerminateInstances": Limit(burst=50, per_second=2.5),
    "StartInstances": Limit(burst=2.5, per_second=1),
}
_EC2_OTHER: Final = Limit(burst=25, per_second=2.5)
# Auto Scaling has one bucket for all of its APIs, of a size that AWS does not publish. This is our guess: a burst of
# 300 claims (15 detaches) fits at once, 75 claims a second (4 detaches and about as many others) fit for good.
# Too high a guess is answered with Throttling, which every caller survives.
_AUTO_SCALING: Final = Limit(burst=40, per_second=10)
# S3 takes 3,500 writes a second and prefix: this bounds threads, not S3. SSM publishes no limits for Run Command; its
# answers to too many calls are Throttling, which every caller survives.
_OF_SERVICE: Final = {"s3": Limit(burst=100, per_second=100), "ssm": Limit(burst=20, per_second=5)}


class TokenBucket:
    """A token bucket that hands out waiting times, so that those who wait are served in the order they came."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._tokens = limit.burst
        self._filled_at: float | None = None

    def reserve(self, *, now: float) -> float:
        """Take one token, at `now` on a monotonic clock, and return the seconds until it may be used."""
        if self._filled_at is not None:
            grown = max(0.0, now - self._filled_at) * self._limit.per_second
            self._tokens = min(self._limit.burst, self._tokens + grown)
        self._filled_at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._limit.per_second)


class Budgets:
    """The buckets of one region, shared by every pool and every role in it. Belongs to one event loop."""

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}

    async def spend(self, *, service: str, operation: str) -> None:
        """Return when the call may be made; only the caller waits, never the event loop."""
        wait = self._bucket(service=service, operation=operation).reserve(now=asyncio.get_running_loop().time())
        if wait:
            await asyncio.sleep(wait)

    def _bucket(self, *, service: str, operation: str) -> TokenBucket:
        name = service if service == "autoscaling" else f"{service}:{operation}"
        if name not in self._buckets:
            self._buckets[name] = TokenBucket(_limit(service=service, operation=operation))
        return self._buckets[name]


def _limit(*, service: str, operation: str) -> Limit:
    if service == "autoscaling":
        return _AUTO_SCALING
    return _OF_SERVICE.get(service) or _EC2.get(operation, _EC2_OTHER)
