"""Whether AWS has room for one more instance, and AWS's words when it has not."""

import re
from collections.abc import Iterable, Mapping
from math import inf

from hotdesk_local.aws.config import Config
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import STARTED, Instance, LaunchSpec, State

_VCPUS: Mapping[str, int] = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4, "metal": 96}
"""By size, as in the T3, M5 and later families; `4xlarge` is four times `xlarge`."""


def shortage(
    instances: Iterable[Instance],
    *,
    spec: LaunchSpec,
    zone: str,
    config: Config,
) -> AwsError | None:
    """Return why one more instance cannot start, None when it can."""
    if config.capacity is None and config.vcpu_quota is None and not config.zone_capacity:
        return None
    starting = [i for i in instances if i.state in STARTED]
    here = sum(1 for i in starting if i.subnet.zone == zone)
    if (config.capacity is not None and len(starting) >= config.capacity) or here >= config.zone_capacity.get(
        zone, inf
    ):
        return _no_capacity(spec.instance_type, zone)
    if config.vcpu_quota is not None:
        used = sum(vcpus(i.spec.instance_type) for i in starting if i.state is not State.STOPPING)
        if used + vcpus(spec.instance_type) > config.vcpu_quota:
            return _over_quota(config.vcpu_quota)
    return None


def vcpus(instance_type: str) -> int:
    """Return the vCPUs of a type; 2 where the size is unknown."""
    size = instance_type.rpartition(".")[2]
    many = re.fullmatch(r"(\d+)xlarge", size)
    return 4 * int(many[1]) if many else _VCPUS.get(size, 2)


def _no_capacity(instance_type: str, zone: str) -> AwsError:
    return AwsError(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested "
        f"({zone}). Our system will be working on provisioning additional capacity. You can currently get "
        f"{instance_type} capacity by not specifying an Availability Zone in your request.",
        status=500,
    )


def _over_quota(limit: int) -> AwsError:
    return AwsError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance bucket "
        "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
        "request an adjustment to this limit.",
    )
