"""Request quotas: AWS's token buckets, which answer `RequestLimitExceeded` (EC2) or `Throttling` (Auto Scaling)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hotdesk_local.aws.config import Config
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params

DEFAULTS: Mapping[str, tuple[float, float]] = {
    "autoscaling": (100, 20),
    "ec2:describe": (100, 20),
    "ec2:describe-all": (50, 10),
    "ec2:mutate": (50, 5),
    "ec2:RunInstances": (5, 2),
    "ec2:StartInstances": (5, 2),
    "ec2:TerminateInstances": (100, 5),
    "ec2:CreateTags": (100, 10),
    "ec2:DeleteTags": (100, 10),
    "ec2:CreateVolume": (100, 5),
    "ec2:DeleteVolume": (100, 5),
    "ec2:CreateSnapshot": (100, 5),
    "ec2:CreateSnapshots": (100, 5),
    "ec2:DeleteSnapshot": (100, 5),
    "ec2:instances:RunInstances": (1000, 2),
    "ec2:instances:StartInstances": (1000, 2),
    "ec2:instances:StopInstances": (1000, 20),
    "ec2:instances:TerminateInstances": (1000, 20),
}
"""Burst and refill per second, from EC2's page "ec2-api-throttling". AWS does not publish Auto
Scaling's; that is a guess.

`ec2:describe`, `ec2:describe-all` (neither filter nor page size) and `ec2:mutate` hold for each action by itself;
`ec2:instances:…` is paid once for every instance named.
"""

COSTLY_WITHOUT_FILTER = frozenset(
    {
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeVolumes",
        "DescribeSnapshots",
        "DescribeNetworkInterfaces",
        "DescribeSpotInstanceRequests",
    },
)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


@dataclass(slots=True)
class Quotas:
    """The buckets of one account in one region."""

    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)
    _in_force: bool | dict[str, tuple[float, float]] = True

    def spend(self, *, service: str, action: str, params: Params, config: Config, now: float) -> None:
        """Pay for a call, or raise the service's throttling error."""
        if config.quotas != self._in_force:
            self._in_force = config.quotas
            self._buckets.clear()  # new limits begin with full buckets
        if config.quotas is False:
            return
        limits = DEFAULTS if config.quotas is True else {**DEFAULTS, **config.quotas}
        for kind, cost in _prices(service, action, params, limits):
            self._take(kind, action if service == "ec2" else "", cost=cost, limit=limits[kind], now=now)

    def _take(self, kind: str, action: str, *, cost: float, limit: tuple[float, float], now: float) -> None:
        burst, refill = limit
        bucket = self._buckets.setdefault((kind, action), _Bucket(tokens=burst, filled=now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled) * refill)
        bucket.filled = now
        if bucket.tokens < cost:
            raise throttled(kind.partition(":")[0])
        bucket.tokens -= cost


def throttled(service: str) -> AwsError:
    """Return the service's throttling error."""
    if service == "ec2":
        return AwsError("RequestLimitExceeded", "Request limit exceeded.")
    if service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", status=503)
    if service in {"ssm", "cloudwatch"}:
        return AwsError("ThrottlingException", "Rate exceeded")
    return AwsError("Throttling", "Rate exceeded")


def _prices(
    service: str,
    action: str,
    params: Params,
    limits: Mapping[str, tuple[float, float]],
) -> list[tuple[str, float]]:
    if service == "autoscaling":
        return [("autoscaling", 1)]
    if service != "ec2":
        return []
    prices: list[tuple[str, float]] = [(_kind(action, params, limits), 1)]
    if f"ec2:instances:{action}" in limits:
        count = params.get("MaxCount") or len(params.get("InstanceIds", []))
        prices.append((f"ec2:instances:{action}", float(count)))
    return prices


def _kind(action: str, params: Params, limits: Mapping[str, tuple[float, float]]) -> str:
    if f"ec2:{action}" in limits:
        return f"ec2:{action}"
    if not action.startswith(("Describe", "Get", "List")):
        return "ec2:mutate"
    narrowed = params.get("Filters") or params.get("MaxResults") or any(key.endswith("Ids") for key in params)
    return "ec2:describe" if narrowed or action not in COSTLY_WITHOUT_FILTER else "ec2:describe-all"
