"""SSM's call about the machines it knows: DescribeInstanceInformation."""

from collections.abc import Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Instance, Params
from hotdesk_local.aws.pages import page
from hotdesk_local.aws.world import Handler, World

PAGE = 50


def _describe(world: World, params: Params, call: Call) -> Params:
    tests = [
        *((str(f["Key"]), f["Values"]) for f in params.get("Filters", [])),
        *((str(f["key"]), f["valueSet"]) for f in params.get("InstanceInformationFilterList", [])),
    ]
    registered = (i for i in world.fleet.instances.values() if world.guests.is_registered(i, now=call.time))
    found, token = page(
        (i for i in registered if all(_fits(world, i, key, values, call) for key, values in tests)),
        size=min(params.get("MaxResults") or PAGE, PAGE),
        token=params.get("NextToken"),
        place=lambda i: f"{i.number:012d}",
    )
    return {"InstanceInformationList": [_agent(world, i, call) for i in found], "NextToken": token}


def _fits(world: World, instance: Instance, key: str, values: list[str], call: Call) -> bool:
    if key == "InstanceIds":
        return instance.id in values
    if key == "PingStatus":
        return _ping(world, instance, call) in values
    if key.startswith("tag:"):
        return instance.tags.get(key.removeprefix("tag:")) in values
    if key in {"PlatformTypes", "ResourceType"}:
        return bool({"Linux", "EC2Instance"} & set(values))
    raise AwsError("InvalidInstanceInformationFilterValue", f"The filter {key} is not known here.")


def _agent(world: World, instance: Instance, call: Call) -> Params:
    online = _ping(world, instance, call) == "Online"
    return {
        "InstanceId": instance.id,
        "PingStatus": _ping(world, instance, call),
        "LastPingDateTime": moment(call.time if online else instance.since),
        "AgentVersion": "3.3.0.0",
        "IsLatestVersion": True,
        "PlatformType": "Linux",
        "ResourceType": "EC2Instance",
        "IPAddress": instance.private_ip,
        "ComputerName": f"ip-{instance.private_ip.replace('.', '-')}",
    }


def _ping(world: World, instance: Instance, call: Call) -> str:
    return "Online" if world.guests.is_online(instance, now=call.time) else "ConnectionLost"


ACTIONS: Mapping[str, Handler] = {"DescribeInstanceInformation": _describe}
